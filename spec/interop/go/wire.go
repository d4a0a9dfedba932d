// The MTProto half of the server: keys, sessions, salts, message ids, what is sent and what of it is not acked yet.
// Everything here is under server.mu; the exchange, the cipher, the codecs and the TL code are gotd's.
package main

import (
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/gotd/td/bin"
	"github.com/gotd/td/crypto"
	"github.com/gotd/td/exchange"
	"github.com/gotd/td/mt"
	"github.com/gotd/td/proto"
	"github.com/gotd/td/proto/codec"
	"github.com/gotd/td/tg"
	"github.com/gotd/td/tmap"
	"github.com/gotd/td/transport"
)

const (
	saltLife   = time.Hour
	maxUnacked = 4096
	maxSeen    = 4096
)

type authKey struct {
	crypto.AuthKey
	salt int64 // the one of the exchange
	born time.Time
	user *user
	perm *authKey // of a temporary key: the one that it is bound to
}

// owner is the key that stands for the account.
func (k *authKey) owner() *authKey {
	if k.perm != nil {
		return k.perm
	}
	return k
}

type sent struct {
	id     int64
	seq    int32
	body   []byte
	answer int64 // the msg_id that it answers, or 0
}

type session struct {
	id      int64
	key     *authKey
	layer   int
	quiet   bool // called with invokeWithoutUpdates
	out     *outbox
	content int32 // content-related messages sent so far
	seen    map[int64]bool
	recent  []int64
	unacked []sent
}

type sessionKey struct {
	key [8]byte
	id  int64
}

type server struct {
	dc      int
	key     exchange.PrivateKey
	cipher  crypto.Cipher
	ids     *proto.MessageIDGen
	world   *world
	rpc     *tg.ServerDispatcher
	types   *tmap.Map
	verbose bool
	strict  bool // refuse odd seqnos of what is not content-related

	mu       sync.Mutex
	keys     map[[8]byte]*authKey
	sessions map[sessionKey]*session
	pending  map[int64]*callback
}

func newServer(dc int, key *rsa.PrivateKey, w *world, verbose bool) *server {
	s := &server{
		dc: dc, key: exchange.PrivateKey{RSA: key}, cipher: crypto.NewServerCipher(crypto.DefaultRand()),
		ids: proto.NewMessageIDGen(time.Now), world: w, verbose: verbose,
		types:    tmap.New(tg.TypesMap(), mt.TypesMap(), proto.TypesMap()),
		keys:     map[[8]byte]*authKey{},
		sessions: map[sessionKey]*session{},
		pending:  map[int64]*callback{},
	}
	s.rpc = s.register()
	return s
}

func (s *server) logf(format string, args ...any) {
	if s.verbose {
		fmt.Fprintf(os.Stderr, format+"\n", args...)
	}
}

func (s *server) serveConn(ctx context.Context, raw net.Conn) {
	defer raw.Close()
	conn, err := accept(raw)
	if err != nil {
		s.logf("%v: %v", raw.RemoteAddr(), err)
		return
	}
	out := newOutbox(conn)
	defer close(out.done)
	for {
		var b bin.Buffer
		if err := conn.Recv(ctx, &b); err != nil {
			return
		}
		var id [8]byte
		if b.PeekN(id[:], len(id)) != nil {
			return
		}
		if id == [8]byte{} {
			err = s.exchange(ctx, conn, b.Copy())
		} else {
			err = s.receive(ctx, out, id, &b)
		}
		if err != nil {
			s.logf("%v: %v", raw.RemoteAddr(), err)
			return
		}
	}
}

func (s *server) exchange(ctx context.Context, conn transport.Conn, first []byte) error {
	from := &exchangeConn{Conn: conn, first: first, key: s.key.RSA, dc: s.dc}
	r, err := exchange.NewExchanger(from, s.dc).Server(s.key).Run(ctx)
	if err != nil {
		if e, ok := err.(*exchange.ServerExchangeError); ok {
			var b bin.Buffer
			b.PutInt32(-e.Code)
			_ = conn.Send(ctx, &b)
		}
		return err
	}
	s.mu.Lock()
	s.keys[r.Key.ID] = &authKey{AuthKey: r.Key, salt: r.ServerSalt, born: time.Now()}
	s.mu.Unlock()
	s.logf("new key %x", r.Key.ID)
	return nil
}

// receive decrypts one packet and hands over what is in it.
func (s *server) receive(ctx context.Context, out *outbox, id [8]byte, b *bin.Buffer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := s.keys[id]
	if key == nil {
		var refusal bin.Buffer
		refusal.PutInt32(-codec.CodeAuthKeyNotFound)
		out.send(refusal.Buf)
		return nil
	}
	if n := b.Len(); n > 24 {
		b.Buf = b.Buf[:n-(n-24)%16] // gotd's padded framing leaves some of the padding on
	}
	msg, err := s.cipher.DecryptFromBuffer(key.AuthKey, b)
	if err != nil {
		return err
	}
	at := sessionKey{id, msg.SessionID}
	sess := s.sessions[at]
	if sess == nil {
		sess = &session{id: msg.SessionID, key: key, seen: map[int64]bool{}}
		s.sessions[at] = sess
		sess.out = out
		s.send(sess, proto.MessageFromServer, true, 0, &mt.NewSessionCreated{
			FirstMsgID: msg.MessageID, UniqueID: int64(s.ids.New(proto.MessageFromServer)), ServerSalt: key.saltNow(),
		})
	} else if sess.out != out {
		sess.out = out
		for _, m := range sess.unacked {
			s.sendPacket(sess, m)
		}
	}
	if !key.saltGood(msg.Salt) {
		s.send(sess, proto.MessageFromServer, false, 0, &mt.BadServerSalt{
			BadMsgID: msg.MessageID, BadMsgSeqno: int(msg.SeqNo), ErrorCode: 48, NewServerSalt: key.saltNow(),
		})
		return nil
	}
	return s.handle(ctx, sess, msg.MessageID, msg.SeqNo, &bin.Buffer{Buf: msg.Data()})
}

// send makes a message of it and sends it; content-related ones are kept until they are acked.
func (s *server) send(sess *session, t proto.MessageType, content bool, answer int64, what bin.Encoder) {
	var b bin.Buffer
	if err := what.Encode(&b); err != nil {
		s.logf("encode %T: %v", what, err)
		return
	}
	m := sent{id: s.ids.New(t), seq: sess.content * 2, body: b.Buf, answer: answer}
	if content {
		m.seq++
		sess.content++
		sess.unacked = append(sess.unacked, m)
		if len(sess.unacked) > maxUnacked {
			sess.unacked = sess.unacked[1:]
		}
	}
	s.sendPacket(sess, m)
}

func (s *server) sendPacket(sess *session, m sent) {
	var b bin.Buffer
	err := s.cipher.Encrypt(sess.key.AuthKey, crypto.EncryptedMessageData{
		Salt: sess.key.saltNow(), SessionID: sess.id, MessageID: m.id, SeqNo: m.seq,
		MessageDataLen: int32(len(m.body)), MessageDataWithPadding: m.body,
	}, &b)
	if err != nil {
		s.logf("encrypt: %v", err)
		return
	}
	sess.out.send(b.Buf)
}

func (s *server) acked(sess *session, ids []int64) {
	gone := map[int64]bool{}
	for _, id := range ids {
		gone[id] = true
	}
	kept := sess.unacked[:0]
	for _, m := range sess.unacked {
		if !gone[m.id] {
			kept = append(kept, m)
		}
	}
	sess.unacked = kept
}

// Salts are a function of the key and the hour, save the first, which the exchange made.
func (k *authKey) saltAt(t time.Time) (salt int64, since, until time.Time) {
	epoch := t.Unix() / int64(saltLife/time.Second)
	since = time.Unix(epoch*int64(saltLife/time.Second), 0)
	var n [8]byte
	binary.LittleEndian.PutUint64(n[:], uint64(epoch))
	sum := sha256.Sum256(append(append([]byte("salt"), k.Value[:]...), n[:]...))
	return int64(binary.LittleEndian.Uint64(sum[:8])), since, since.Add(2 * saltLife)
}

func (k *authKey) saltNow() int64 {
	salt, _, _ := k.saltAt(time.Now())
	return salt
}

func (k *authKey) saltGood(salt int64) bool {
	now := time.Now()
	current, _, _ := k.saltAt(now)
	before, _, _ := k.saltAt(now.Add(-saltLife))
	return salt == current || salt == before || (salt == k.salt && now.Sub(k.born) < saltLife)
}
