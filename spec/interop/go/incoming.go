// What a client's message is: service messages are answered here, calls are unwrapped and go to the dispatcher.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gotd/td/bin"
	"github.com/gotd/td/mt"
	"github.com/gotd/td/proto"
	"github.com/gotd/td/tg"
	"github.com/gotd/td/tgerr"
)

// request is the call that a handler serves; it travels in the context.
type request struct {
	session *session
	id      int64
}

type requestKey struct{}

func requestOf(ctx context.Context) *request { return ctx.Value(requestKey{}).(*request) }

// errLater is a handler's word that the answer will come by answer().
var errLater = errors.New("later")

func (s *server) refuse(sess *session, id int64, seq int32, code int) {
	s.logf("bad_msg_notification %d for %x seqno %d", code, id, seq)
	s.send(sess, proto.MessageFromServer, false, 0, &mt.BadMsgNotification{
		BadMsgID: id, BadMsgSeqno: int(seq), ErrorCode: code,
	})
}

// contentless are the messages whose seqno is even: nobody acks them. mtcute counts its acks all the same, so only
// -strict insists (save on containers, which all clients get right).
var contentless = map[uint32]bool{
	mt.MsgsAckTypeID: true, proto.MessageContainerTypeID: true, mt.MsgsStateReqTypeID: true, mt.MsgResendReqTypeID: true,
	mt.HTTPWaitRequestTypeID: true,
}

// either may come with an odd or an even seqno: clients differ, and the protocol's pages do not decide.
var either = map[uint32]bool{
	mt.PingRequestTypeID: true, mt.PingDelayDisconnectRequestTypeID: true, mt.GetFutureSaltsRequestTypeID: true,
	mt.RPCDropAnswerRequestTypeID: true, mt.MsgsStateInfoTypeID: true, mt.DestroySessionRequestTypeID: true,
	proto.GZIPTypeID: true,
}

// admit checks msg_id and seqno; false: it was refused, or was here before.
func (s *server) admit(sess *session, id int64, seq int32, kind uint32) bool {
	age := time.Now().Unix() - id>>32
	switch {
	case id&3 != 0:
		s.refuse(sess, id, seq, 18)
	case age > 300:
		s.refuse(sess, id, seq, 16)
	case age < -30:
		s.refuse(sess, id, seq, 17)
	case contentless[kind] && seq&1 == 1 && (s.strict || kind == proto.MessageContainerTypeID):
		s.refuse(sess, id, seq, 34)
	case !contentless[kind] && !either[kind] && seq&1 == 0:
		s.refuse(sess, id, seq, 35)
	case sess.seen[id]:
		// Sent again: the answer may have been lost with a connection.
		for _, m := range sess.unacked {
			if m.answer == id {
				s.sendPacket(sess, m)
			}
		}
	default:
		sess.seen[id] = true
		sess.recent = append(sess.recent, id)
		if len(sess.recent) > maxSeen {
			delete(sess.seen, sess.recent[0])
			sess.recent = sess.recent[1:]
		}
		return true
	}
	return false
}

// handle serves one message; only a packet that makes no sense is an error, and ends the connection.
func (s *server) handle(ctx context.Context, sess *session, id int64, seq int32, b *bin.Buffer) error {
	kind, err := b.PeekID()
	if err != nil {
		return err
	}
	if !s.admit(sess, id, seq, kind) {
		return nil
	}
	if kind != proto.MessageContainerTypeID && kind != proto.GZIPTypeID {
		s.logf("session %x layer %d seqno %d: %s", uint64(sess.id), sess.layer, seq, s.types.Get(kind))
	}
	switch kind {
	case proto.MessageContainerTypeID:
		var c proto.MessageContainer
		if err := c.Decode(b); err != nil {
			return err
		}
		for _, m := range c.Messages {
			if m.ID >= id {
				s.refuse(sess, id, seq, 64)
				return nil
			}
			if err := s.handle(ctx, sess, m.ID, int32(m.SeqNo), &bin.Buffer{Buf: m.Body}); err != nil {
				return err
			}
		}
		return nil
	case proto.GZIPTypeID:
		var z proto.GZIP
		if err := z.Decode(b); err != nil {
			return err
		}
		return s.call(ctx, sess, id, &bin.Buffer{Buf: z.Data})
	case mt.MsgsAckTypeID:
		var ack mt.MsgsAck
		if err := ack.Decode(b); err != nil {
			return err
		}
		s.acked(sess, ack.MsgIDs)
		return nil
	case mt.PingRequestTypeID:
		var ping mt.PingRequest
		if err := ping.Decode(b); err != nil {
			return err
		}
		s.send(sess, proto.MessageServerResponse, false, 0, &mt.Pong{MsgID: id, PingID: ping.PingID})
		return nil
	case mt.PingDelayDisconnectRequestTypeID:
		var ping mt.PingDelayDisconnectRequest
		if err := ping.Decode(b); err != nil {
			return err
		}
		s.send(sess, proto.MessageServerResponse, false, 0, &mt.Pong{MsgID: id, PingID: ping.PingID})
		return nil
	case mt.GetFutureSaltsRequestTypeID:
		var want mt.GetFutureSaltsRequest
		if err := want.Decode(b); err != nil {
			return err
		}
		s.send(sess, proto.MessageServerResponse, false, 0, sess.key.futureSalts(id, want.Num))
		return nil
	case mt.MsgsStateReqTypeID:
		var want mt.MsgsStateReq
		if err := want.Decode(b); err != nil {
			return err
		}
		info := make([]byte, len(want.MsgIDs))
		for i, m := range want.MsgIDs {
			info[i] = 1
			if sess.seen[m] {
				info[i] = 4
			}
		}
		s.send(sess, proto.MessageServerResponse, false, 0, &mt.MsgsStateInfo{ReqMsgID: id, Info: info})
		return nil
	case mt.MsgResendReqTypeID, mt.MsgsStateInfoTypeID, mt.HTTPWaitRequestTypeID:
		return nil
	case mt.RPCDropAnswerRequestTypeID:
		s.answer(sess, id, &mt.RPCAnswerUnknown{})
		return nil
	case mt.DestroySessionRequestTypeID:
		var want mt.DestroySessionRequest
		if err := want.Decode(b); err != nil {
			return err
		}
		at := sessionKey{sess.key.ID, want.SessionID}
		if s.sessions[at] == nil || want.SessionID == sess.id {
			s.send(sess, proto.MessageServerResponse, true, 0, &mt.DestroySessionNone{SessionID: want.SessionID})
		} else {
			delete(s.sessions, at)
			s.send(sess, proto.MessageServerResponse, true, 0, &mt.DestroySessionOk{SessionID: want.SessionID})
		}
		return nil
	}
	return s.call(ctx, sess, id, b)
}

func (k *authKey) futureSalts(id int64, n int) *mt.FutureSalts {
	now := time.Now()
	out := &mt.FutureSalts{ReqMsgID: id, Now: int(now.Unix())}
	for i := 0; i < min(max(n, 1), 64); i++ {
		salt, since, until := k.saltAt(now.Add(time.Duration(i) * saltLife))
		out.Salts = append(out.Salts, mt.FutureSalt{ValidSince: int(since.Unix()), ValidUntil: int(until.Unix()), Salt: salt})
	}
	return out
}

// rest is a TL object that stays undecoded: what an invoke… wraps.
type rest struct{}

func (rest) Encode(*bin.Buffer) error { return errors.New("not for encoding") }
func (rest) Decode(*bin.Buffer) error { return nil }

// call unwraps the invoke… methods, has the call served and answers it. The order of invokeAfterMsg is kept anyway:
// one session's calls are served one after the other.
func (s *server) call(ctx context.Context, sess *session, id int64, b *bin.Buffer) error {
	for {
		kind, err := b.PeekID()
		if err != nil {
			return err
		}
		var wrapper bin.Decoder
		switch kind {
		case tg.InvokeWithLayerRequestTypeID:
			with := &tg.InvokeWithLayerRequest{Query: rest{}}
			if err := with.Decode(b); err != nil {
				return err
			}
			sess.layer = with.Layer
			continue
		case tg.InvokeWithoutUpdatesRequestTypeID:
			sess.quiet = true
			wrapper = &tg.InvokeWithoutUpdatesRequest{Query: rest{}}
		case tg.InitConnectionRequestTypeID:
			wrapper = &tg.InitConnectionRequest{Query: rest{}}
		case tg.InvokeAfterMsgRequestTypeID:
			wrapper = &tg.InvokeAfterMsgRequest{Query: rest{}}
		case tg.InvokeAfterMsgsRequestTypeID:
			wrapper = &tg.InvokeAfterMsgsRequest{Query: rest{}}
		case proto.GZIPTypeID:
			var z proto.GZIP
			if err := z.Decode(b); err != nil {
				return err
			}
			b = &bin.Buffer{Buf: z.Data}
			continue
		}
		if wrapper == nil {
			break
		}
		if err := wrapper.Decode(b); err != nil {
			return err
		}
	}
	kind, err := b.PeekID()
	if err != nil {
		return err
	}
	name := s.types.Get(kind)
	s.logf("session %x call %s", uint64(sess.id), name)
	result, err := s.rpc.Handle(context.WithValue(ctx, requestKey{}, &request{session: sess, id: id}), b)
	switch {
	case errors.Is(err, errLater):
	case err != nil:
		refusal, ok := tgerr.As(err)
		if !ok {
			refusal = tgerr.New(400, "INPUT_REQUEST_INVALID")
		}
		s.logf("session %x call %s: %v", uint64(sess.id), name, err)
		s.answer(sess, id, &mt.RPCError{ErrorCode: refusal.Code, ErrorMessage: refusal.Message})
	default:
		s.answer(sess, id, result)
	}
	return nil
}

func (s *server) answer(sess *session, id int64, result bin.Encoder) {
	var b bin.Buffer
	if err := result.Encode(&b); err != nil {
		s.logf("encode %T: %v", result, err)
		b = bin.Buffer{}
		_ = (&mt.RPCError{ErrorCode: 500, ErrorMessage: "INTERNAL"}).Encode(&b)
	}
	s.send(sess, proto.MessageServerResponse, true, id, &proto.Result{RequestMessageID: id, Result: b.Buf})
}

func unknownMethod(s *server) func(context.Context, *bin.Buffer) (bin.Encoder, error) {
	return func(_ context.Context, b *bin.Buffer) (bin.Encoder, error) {
		kind, _ := b.PeekID()
		s.logf("not here: %s", s.types.Get(kind))
		return nil, tgerr.New(400, fmt.Sprintf("METHOD_NOT_HERE_%08x", kind))
	}
}
