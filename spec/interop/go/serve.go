// The command `serve`: makes a key, opens the port, says where it is, and serves until the context ends.
package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

func serve(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("serve", flag.ExitOnError)
	listen := flags.String("listen", "127.0.0.1:0", "where to listen")
	dc := flags.Int("dc", 1, "number of the data centre")
	keyDir := flags.String("key-dir", os.TempDir(), "where the key pair is kept (made if absent)")
	short := flags.Bool("short", false, "push plain messages as updateShortMessage")
	verbose := flags.Bool("log", false, "log each call to stderr")
	strict := flags.Bool("strict", false, "insist on the rules for seqno where known clients break them")
	var bots list
	flags.Var(&bots, "bot", "a bot, NAME=TOKEN")
	if err := flags.Parse(args); err != nil {
		return err
	}

	key, public, err := keyPair(*keyDir)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	address := listener.Addr().(*net.TCPAddr)
	world := newWorld(*dc, address.IP.String(), address.Port, *short)
	for _, b := range bots {
		name, token, ok := strings.Cut(b, "=")
		if !ok || world.botByToken(token, name) == nil {
			return fmt.Errorf("bad -bot %q", b)
		}
	}
	server := newServer(*dc, key, world, *verbose)
	server.strict = *strict

	fmt.Println("listen", address)
	fmt.Println("dc", *dc)
	fmt.Println("key", public)
	for _, b := range bots {
		name, token, _ := strings.Cut(b, "=")
		fmt.Println("bot", name, token)
	}
	fmt.Println("ready")

	go func() {
		<-ctx.Done()
		_ = listener.Close()
	}()
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		go server.serveConn(ctx, conn)
	}
}

// keyPair reads DIR/teled.pem, or makes it, and writes the public half beside it; it returns that file's name.
func keyPair(dir string) (*rsa.PrivateKey, string, error) {
	private, public := filepath.Join(dir, "teled.pem"), filepath.Join(dir, "teled.pub.pem")
	var key *rsa.PrivateKey
	if data, err := os.ReadFile(private); err == nil {
		block, _ := pem.Decode(data)
		if block == nil {
			return nil, "", fmt.Errorf("%s: no PEM", private)
		}
		if key, err = x509.ParsePKCS1PrivateKey(block.Bytes); err != nil {
			return nil, "", err
		}
	} else {
		if key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			return nil, "", err
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, "", err
		}
		block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
		if err := os.WriteFile(private, pem.EncodeToMemory(block), 0o600); err != nil {
			return nil, "", err
		}
	}
	block := &pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&key.PublicKey)}
	return key, public, os.WriteFile(public, pem.EncodeToMemory(block), 0o644)
}
