// What stands between the socket and the messages: finds out which framing a client speaks (all four, each plain or
// obfuscated, on one port) and lets clients with the old RSA padding (Telethon) in, which gotd's exchange refuses.
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"net"

	"github.com/gotd/td/bin"
	"github.com/gotd/td/crypto"
	"github.com/gotd/td/mt"
	"github.com/gotd/td/proto"
	"github.com/gotd/td/transport"
)

// peeked is a connection whose first bytes were looked at.
type peeked struct {
	net.Conn
	reader *bufio.Reader
}

func (p *peeked) Read(b []byte) (int, error) { return p.reader.Read(b) }

// one is a listener that yields one connection, so that transport.Listener detects the codec of that one alone.
type one struct{ conn net.Conn }

func (o one) Accept() (net.Conn, error) { return o.conn, nil }
func (o one) Close() error              { return nil }
func (o one) Addr() net.Addr            { return o.conn.LocalAddr() }

// accept wraps a raw connection into a framed one.
func accept(conn net.Conn) (transport.Conn, error) {
	p := &peeked{Conn: conn, reader: bufio.NewReaderSize(conn, 64<<10)}
	first, err := p.reader.Peek(1)
	if err != nil {
		return nil, err
	}
	plain := first[0] == 0xef
	if !plain {
		head, err := p.reader.Peek(8)
		if err != nil {
			return nil, err
		}
		tag := string(head[:4])
		// The full framing has no tag, but its first packet has the sequence number 0.
		plain = tag == "\xee\xee\xee\xee" || tag == "\xdd\xdd\xdd\xdd" || string(head[4:8]) == "\x00\x00\x00\x00"
	}
	if plain {
		return transport.ListenCodec(nil, one{p}).Accept()
	}
	return transport.Listen(transport.ObfuscatedListener(one{p})).Accept()
}

// exchangeConn is what the key exchange reads from: the packet that began it comes first, and a p_q_inner_data under
// the old padding (SHA1 + data + random) is turned into a p_q_inner_data_dc under RSA_PAD.
type exchangeConn struct {
	transport.Conn
	first []byte
	key   *rsa.PrivateKey
	dc    int
}

func (e *exchangeConn) Recv(ctx context.Context, b *bin.Buffer) error {
	if e.first != nil {
		b.ResetTo(e.first)
		e.first = nil
	} else if err := e.Conn.Recv(ctx, b); err != nil {
		return err
	}
	if renewed := e.renewPadding(&bin.Buffer{Buf: b.Copy()}); renewed != nil {
		b.ResetTo(renewed)
	}
	return nil
}

func (e *exchangeConn) renewPadding(b *bin.Buffer) []byte {
	var plain proto.UnencryptedMessage
	if plain.Decode(b) != nil {
		return nil
	}
	var request mt.ReqDHParamsRequest
	if request.Decode(&bin.Buffer{Buf: plain.MessageData}) != nil {
		return nil
	}
	data, err := crypto.RSADecryptHashed(request.EncryptedData, e.key)
	if err != nil {
		return nil
	}
	var inner mt.PQInnerData
	if inner.Decode(&bin.Buffer{Buf: data}) != nil {
		return nil
	}
	var out bin.Buffer
	withDC := mt.PQInnerDataDC{Pq: inner.Pq, P: inner.P, Q: inner.Q, Nonce: inner.Nonce,
		ServerNonce: inner.ServerNonce, NewNonce: inner.NewNonce, DC: e.dc}
	if withDC.Encode(&out) != nil {
		return nil
	}
	if request.EncryptedData, err = crypto.RSAPad(out.Buf, &e.key.PublicKey, rand.Reader); err != nil {
		return nil
	}
	out = bin.Buffer{}
	if request.Encode(&out) != nil {
		return nil
	}
	plain.MessageData = out.Buf
	out = bin.Buffer{}
	if plain.Encode(&out) != nil {
		return nil
	}
	return out.Buf
}

// outbox writes packets in order from a goroutine of its own, so that a slow reader holds nobody else up.
type outbox struct {
	conn    transport.Conn
	packets chan []byte
	done    chan struct{}
}

const outboxSize = 1 << 14

func newOutbox(conn transport.Conn) *outbox {
	o := &outbox{conn: conn, packets: make(chan []byte, outboxSize), done: make(chan struct{})}
	go func() {
		for {
			select {
			case <-o.done:
				return
			case packet := <-o.packets:
				if err := conn.Send(context.Background(), &bin.Buffer{Buf: packet}); err != nil {
					_ = conn.Close()
					return
				}
			}
		}
	}()
	return o
}

func (o *outbox) send(packet []byte) {
	select {
	case o.packets <- packet:
	default: // the client has not read for thousands of packets
		_ = o.conn.Close()
	}
}
