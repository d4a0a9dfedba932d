// Calls that are not about messages: logging in, the configuration, who is who, the state of the updates.
package main

import (
	"context"
	"crypto/aes"
	"strings"
	"time"

	"github.com/gotd/ige"
	"github.com/gotd/td/bin"
	"github.com/gotd/td/crypto"
	"github.com/gotd/td/tg"
	"github.com/gotd/td/tgerr"
)

const differenceLimit = 100

func fail(code int, name string) error { return tgerr.New(code, name) }

// caller is the user that the request's key is logged in as.
func (s *server) caller(ctx context.Context) (*user, error) {
	if u := requestOf(ctx).session.key.owner().user; u != nil {
		return u, nil
	}
	return nil, fail(401, "AUTH_KEY_UNREGISTERED")
}

func (s *server) register() *tg.ServerDispatcher {
	d := tg.NewServerDispatcher(unknownMethod(s))
	d.OnHelpGetConfig(s.getConfig)
	d.OnHelpGetNearestDC(func(context.Context) (*tg.NearestDC, error) {
		return &tg.NearestDC{Country: "DE", ThisDC: s.dc, NearestDC: s.dc}, nil
	})
	d.OnHelpGetAppConfig(func(context.Context, int) (tg.HelpAppConfigClass, error) {
		return &tg.HelpAppConfig{Hash: 1, Config: &tg.JSONObject{}}, nil
	})
	d.OnAuthSendCode(s.sendCode)
	d.OnAuthSignIn(s.signIn)
	d.OnAuthSignUp(func(ctx context.Context, r *tg.AuthSignUpRequest) (tg.AuthAuthorizationClass, error) {
		u := s.world.byPhone(r.PhoneNumber, true)
		u.FirstName, u.LastName = r.FirstName, r.LastName
		return s.logIn(ctx, u), nil
	})
	d.OnAuthImportBotAuthorization(func(ctx context.Context, r *tg.AuthImportBotAuthorizationRequest) (
		tg.AuthAuthorizationClass, error,
	) {
		u := s.world.botByToken(r.BotAuthToken, "")
		if u == nil {
			return nil, fail(400, "ACCESS_TOKEN_INVALID")
		}
		return s.logIn(ctx, u), nil
	})
	d.OnAuthLogOut(func(ctx context.Context) (*tg.AuthLoggedOut, error) {
		requestOf(ctx).session.key.owner().user = nil
		return &tg.AuthLoggedOut{}, nil
	})
	d.OnAuthBindTempAuthKey(s.bindTempAuthKey)
	d.OnUsersGetUsers(s.getUsers)
	d.OnUsersGetFullUser(s.getFullUser)
	d.OnContactsResolveUsername(s.resolveUsername)
	d.OnContactsGetContacts(func(ctx context.Context, _ int64) (tg.ContactsContactsClass, error) {
		_, err := s.caller(ctx)
		return &tg.ContactsContacts{}, err
	})
	d.OnAccountUpdateStatus(func(ctx context.Context, _ bool) (bool, error) {
		_, err := s.caller(ctx)
		return true, err
	})
	d.OnUpdatesGetState(func(ctx context.Context) (*tg.UpdatesState, error) {
		u, err := s.caller(ctx)
		if err != nil {
			return nil, err
		}
		return u.state(), nil
	})
	d.OnUpdatesGetDifference(s.getDifference)
	s.registerMessages(d)
	return d
}

func (s *server) getConfig(context.Context) (*tg.Config, error) {
	now := int(time.Now().Unix())
	option := tg.DCOption{ID: s.dc, IPAddress: s.world.host, Port: s.world.port, Static: true}
	option.SetFlags()
	c := &tg.Config{
		Date: now, Expires: now + 3600, ThisDC: s.dc, DCOptions: []tg.DCOption{option}, DCTxtDomainName: "test.invalid",
		ChatSizeMax: 200, MegagroupSizeMax: 200000, ForwardedCountMax: 100, OnlineUpdatePeriodMs: 210000,
		OfflineBlurTimeoutMs: 5000, OfflineIdleTimeoutMs: 30000, OnlineCloudTimeoutMs: 300000, NotifyCloudDelayMs: 30000,
		NotifyDefaultDelayMs: 1500, PushChatPeriodMs: 60000, PushChatLimit: 2, EditTimeLimit: 172800,
		RevokeTimeLimit: 172800, RevokePmTimeLimit: 172800, RatingEDecay: 2419200, StickersRecentLimit: 200,
		ChannelsReadMediaPeriod: 604800, CallReceiveTimeoutMs: 20000, CallRingTimeoutMs: 90000, CallConnectTimeoutMs: 30000,
		CallPacketTimeoutMs: 10000, MeURLPrefix: "https://t.me/", CaptionLengthMax: 1024, MessageLengthMax: 4096,
		WebfileDCID: s.dc,
	}
	c.SetFlags()
	return c, nil
}

func (s *server) sendCode(_ context.Context, r *tg.AuthSendCodeRequest) (tg.AuthSentCodeClass, error) {
	phone := strings.TrimPrefix(r.PhoneNumber, "+")
	if !strings.HasPrefix(phone, "99966") || len(phone) != 10 {
		return nil, fail(400, "PHONE_NUMBER_INVALID")
	}
	code := &tg.AuthSentCode{Type: &tg.AuthSentCodeTypeApp{Length: 5}, PhoneCodeHash: "hash" + phone}
	code.SetFlags()
	return code, nil
}

func (s *server) signIn(ctx context.Context, r *tg.AuthSignInRequest) (tg.AuthAuthorizationClass, error) {
	phone := strings.TrimPrefix(r.PhoneNumber, "+")
	if r.PhoneCodeHash != "hash"+phone || len(phone) != 10 {
		return nil, fail(400, "PHONE_CODE_EXPIRED")
	}
	if r.PhoneCode != strings.Repeat(phone[5:6], 5) {
		return nil, fail(400, "PHONE_CODE_INVALID")
	}
	u := s.world.byPhone(phone, phone[6:] < "9000")
	if u == nil {
		return &tg.AuthAuthorizationSignUpRequired{}, nil
	}
	return s.logIn(ctx, u), nil
}

func (s *server) logIn(ctx context.Context, u *user) *tg.AuthAuthorization {
	requestOf(ctx).session.key.owner().user = u
	a := &tg.AuthAuthorization{User: u.seen(u)}
	a.SetFlags()
	return a
}

// bindTempAuthKey opens the binding message with gotd's derivation of keys, which its client uses to make one.
func (s *server) bindTempAuthKey(ctx context.Context, r *tg.AuthBindTempAuthKeyRequest) (bool, error) {
	refused := fail(400, "ENCRYPTED_MESSAGE_INVALID")
	request := requestOf(ctx)
	var perm *authKey
	for _, k := range s.keys {
		if k.IntID() == r.PermAuthKeyID && k.perm == nil && k != request.session.key {
			perm = k
		}
	}
	var msg crypto.EncryptedMessage
	if perm == nil || msg.Decode(&bin.Buffer{Buf: r.EncryptedMessage}) != nil || msg.AuthKeyID != perm.ID ||
		len(msg.EncryptedData) < 72 || len(msg.EncryptedData)%aes.BlockSize != 0 {
		return false, refused
	}
	key, iv := crypto.KeysV1(perm.Value, msg.MsgKey)
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return false, err
	}
	plain := make([]byte, len(msg.EncryptedData))
	ige.DecryptBlocks(block, iv[:], plain, msg.EncryptedData)
	if crypto.MessageKeyV1(plain[:72]) != msg.MsgKey {
		return false, refused
	}
	head := bin.Buffer{Buf: plain[16:72]}
	id, _ := head.Long()
	seqno, _ := head.Int32()
	size, _ := head.Int32()
	var inner crypto.BindAuthKeyInner
	if inner.Decode(&head) != nil || size != 40 || seqno != 0 || id != request.id || inner.Nonce != r.Nonce ||
		inner.TempAuthKeyID != request.session.key.IntID() || inner.PermAuthKeyID != r.PermAuthKeyID ||
		inner.TempSessionID != request.session.id || inner.ExpiresAt != r.ExpiresAt ||
		int64(r.ExpiresAt) <= time.Now().Unix() {
		return false, refused
	}
	request.session.key.perm = perm
	s.logf("a temporary key is bound: %x to %x", request.session.key.ID, perm.ID)
	return true, nil
}

// inputUser finds whom the caller means, access hash and all.
func (s *server) inputUser(me *user, in tg.InputUserClass) *user {
	switch p := in.(type) {
	case *tg.InputUserSelf:
		return me
	case *tg.InputUser:
		u := s.world.users[p.UserID]
		// Bots may name whom they know by id alone.
		if u != nil && (u.AccessHash == p.AccessHash || u == me || (me.Bot && p.AccessHash == 0)) {
			return u
		}
	case *tg.InputUserFromMessage:
		return s.world.users[p.UserID]
	}
	return nil
}

func (s *server) inputPeer(me *user, in tg.InputPeerClass) (*user, error) {
	var u *user
	switch p := in.(type) {
	case *tg.InputPeerSelf:
		u = me
	case *tg.InputPeerUser:
		u = s.inputUser(me, &tg.InputUser{UserID: p.UserID, AccessHash: p.AccessHash})
	case *tg.InputPeerUserFromMessage:
		u = s.world.users[p.UserID]
	}
	if u == nil {
		return nil, fail(400, "PEER_ID_INVALID")
	}
	return u, nil
}

func (s *server) getUsers(ctx context.Context, ids []tg.InputUserClass) ([]tg.UserClass, error) {
	me, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	out := []tg.UserClass{}
	for _, id := range ids {
		if u := s.inputUser(me, id); u != nil {
			out = append(out, u.seen(me))
		}
	}
	return out, nil
}

func (s *server) getFullUser(ctx context.Context, id tg.InputUserClass) (*tg.UsersUserFull, error) {
	me, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	u := s.inputUser(me, id)
	if u == nil {
		return nil, fail(400, "USER_ID_INVALID")
	}
	full := &tg.UsersUserFull{FullUser: tg.UserFull{ID: u.ID}, Users: []tg.UserClass{u.seen(me)}}
	full.FullUser.SetFlags()
	return full, nil
}

func (s *server) resolveUsername(ctx context.Context, r *tg.ContactsResolveUsernameRequest) (*tg.ContactsResolvedPeer, error) {
	me, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	u := s.world.byUsername(strings.TrimPrefix(r.Username, "@"))
	if u == nil {
		return nil, fail(400, "USERNAME_NOT_OCCUPIED")
	}
	return &tg.ContactsResolvedPeer{Peer: &tg.PeerUser{UserID: u.ID}, Users: []tg.UserClass{u.seen(me)}}, nil
}

func (s *server) getDifference(ctx context.Context, r *tg.UpdatesGetDifferenceRequest) (tg.UpdatesDifferenceClass, error) {
	me, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	var fresh []tg.MessageClass
	var other []tg.UpdateClass
	ids := []int64{me.ID}
	state := *me.state()
	slice := false
	for i, e := range me.log {
		if e.pts <= r.Pts {
			continue
		}
		if len(fresh)+len(other) == differenceLimit {
			slice, state.Pts = true, me.log[i-1].pts
			break
		}
		if e.fresh != nil {
			fresh = append(fresh, e.fresh)
			ids = append(ids, partners(e.fresh)...)
		} else {
			other = append(other, e.update)
		}
	}
	people := s.world.people(me, ids...)
	switch {
	case len(fresh)+len(other) == 0:
		return &tg.UpdatesDifferenceEmpty{Date: state.Date, Seq: state.Seq}, nil
	case slice:
		return &tg.UpdatesDifferenceSlice{NewMessages: fresh, OtherUpdates: other, Users: people,
			IntermediateState: state}, nil
	}
	return &tg.UpdatesDifference{NewMessages: fresh, OtherUpdates: other, Users: people, State: state}, nil
}

// partners are the ids of the users whom a message names.
func partners(m *tg.Message) []int64 {
	out := []int64{}
	for _, p := range []tg.PeerClass{m.PeerID, m.FromID} {
		if u, ok := p.(*tg.PeerUser); ok {
			out = append(out, u.UserID)
		}
	}
	return out
}
