// gotd-bench: what gotd/td costs as a bot, for spec/bench. It is one process that measures itself (user + system time):
//
//	gotd-bench [-dc N] [-session FILE] [-until cold] [-n 500] [-echo 2000] HOST PORT KEYFILE TOKEN
//
// It prints "ready" once logged in, then waits for a first message from a person; then measures one thing after the
// other as "NAME VALUE UNIT"; then prints "echo ready" and answers messages until -echo of them are answered; ends with
// "done". See ../README.md for the names.
package main

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gotd/td/session"
	"github.com/gotd/td/telegram"
	"github.com/gotd/td/telegram/dcs"
	"github.com/gotd/td/telegram/message"
	"github.com/gotd/td/tg"
	"github.com/gotd/td/transport"
)

const deep = 100

// cpu is the processor time that this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func peakMiB() float64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return float64(u.Maxrss) / 1024
}

func residentMiB() float64 {
	data, _ := os.ReadFile("/proc/self/statm")
	if f := strings.Fields(string(data)); len(f) > 1 {
		pages, _ := strconv.Atoi(f[1])
		return float64(pages) * float64(os.Getpagesize()) / (1 << 20)
	}
	return 0
}

func show(name string, value float64, unit string) { fmt.Printf("%s %.3f %s\n", name, value, unit) }

type bench struct {
	client *telegram.Client
	sender *message.Sender
	n      int
	peer   tg.InputPeerClass
	first  chan tg.InputPeerClass

	mu       sync.Mutex
	echoing  bool
	answered int
	wanted   int
	echoed   chan struct{}
}

// onMessage hands the first sender over, and echoes once that is what is measured.
func (b *bench) onMessage(ctx context.Context, e tg.Entities, u *tg.UpdateNewMessage) error {
	m, ok := u.Message.(*tg.Message)
	if !ok || m.Out {
		return nil
	}
	b.mu.Lock()
	echoing := b.echoing
	b.mu.Unlock()
	if !echoing {
		from, _ := m.PeerID.(*tg.PeerUser)
		if from == nil {
			return nil
		}
		if user := e.Users[from.UserID]; user != nil {
			select {
			case b.first <- user.AsInputPeer():
			default:
			}
		}
		return nil
	}
	if _, err := b.sender.To(b.peer).Text(ctx, m.Message); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.answered++; b.answered == b.wanted {
		close(b.echoed)
	}
	return nil
}

// measure runs n calls, at most depth at a time, and prints the processor time of one.
func (b *bench) measure(ctx context.Context, name string, depth int, call func(context.Context, int) error) error {
	n := b.n
	start := cpu()
	slots, failed := make(chan struct{}, depth), make(chan error, 1)
	var all sync.WaitGroup
	for i := 0; i < n; i++ {
		if depth == 1 {
			if err := call(ctx, i); err != nil {
				return err
			}
			continue
		}
		slots <- struct{}{}
		all.Add(1)
		go func() {
			defer all.Done()
			if err := call(ctx, i); err != nil {
				select {
				case failed <- err:
				default:
				}
			}
			<-slots
		}()
	}
	all.Wait()
	select {
	case err := <-failed:
		return err
	default:
	}
	show(name, float64(cpu()-start)/1e3/float64(n), "us")
	return nil
}

func (b *bench) run(ctx context.Context, token, until string) error {
	status, err := b.client.Auth().Status(ctx)
	if err != nil {
		return err
	}
	if !status.Authorized {
		if _, err := b.client.Auth().Bot(ctx, token); err != nil {
			return err
		}
	}
	self, err := b.client.Self(ctx)
	if err != nil {
		return err
	}
	fmt.Println("ready", self.Username)
	select {
	case b.peer = <-b.first:
	case <-time.After(60 * time.Second):
		return errors.New("no first message")
	case <-ctx.Done():
		return ctx.Err()
	}
	show("cold_start", float64(cpu())/1e6, "ms")
	if until == "cold" {
		return nil
	}
	time.Sleep(time.Second)
	show("idle_rss", residentMiB(), "MiB")

	config := func(ctx context.Context, _ int) error {
		_, err := b.client.API().HelpGetConfig(ctx)
		return err
	}
	send := func(ctx context.Context, i int) error {
		_, err := b.sender.To(b.peer).Text(ctx, "message "+strconv.Itoa(i))
		return err
	}
	for _, m := range []struct {
		name  string
		depth int
		call  func(context.Context, int) error
	}{{"config_seq", 1, config}, {"config_100", deep, config}, {"send_seq", 1, send}, {"send_100", deep, send}} {
		if err := b.measure(ctx, m.name, m.depth, m.call); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}

	b.mu.Lock()
	b.echoing = true
	b.mu.Unlock()
	start := cpu()
	fmt.Println("echo ready")
	select {
	case <-b.echoed:
	case <-time.After(120 * time.Second):
		return fmt.Errorf("%d of %d echoed", b.answered, b.wanted)
	case <-ctx.Done():
		return ctx.Err()
	}
	show("echo", float64(cpu()-start)/1e3/float64(b.wanted), "us")
	show("peak_rss", peakMiB(), "MiB")
	return nil
}

func readKey(file string) (*rsa.PublicKey, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New(file + ": no PEM")
	}
	return x509.ParsePKCS1PublicKey(block.Bytes)
}

func work() error {
	dc := flag.Int("dc", 1, "number of the data centre")
	sessionFile := flag.String("session", "", "keep the session there")
	until := flag.String("until", "", "\"cold\": end after the first message")
	n := flag.Int("n", 500, "calls of each kind")
	echo := flag.Int("echo", 2000, "messages to answer")
	flag.Parse()
	if flag.NArg() != 4 {
		return errors.New("use: gotd-bench [flags] HOST PORT KEYFILE TOKEN")
	}
	port, err := strconv.Atoi(flag.Arg(1))
	if err != nil {
		return err
	}
	key, err := readKey(flag.Arg(2))
	if err != nil {
		return err
	}
	var storage session.Storage = &session.StorageMemory{}
	if *sessionFile != "" {
		storage = &session.FileStorage{Path: *sessionFile}
	}
	b := &bench{n: *n, wanted: *echo, first: make(chan tg.InputPeerClass, 1), echoed: make(chan struct{})}
	updates := tg.NewUpdateDispatcher()
	updates.OnNewMessage(b.onMessage)
	b.client = telegram.NewClient(1, "hash", telegram.Options{
		DC:             *dc,
		DCList:         dcs.List{Options: []tg.DCOption{{ID: *dc, IPAddress: flag.Arg(0), Port: port, Static: true}}},
		PublicKeys:     []telegram.PublicKey{{RSA: key}},
		Resolver:       dcs.Plain(dcs.PlainOptions{Protocol: transport.Intermediate}),
		UpdateHandler:  updates,
		SessionStorage: storage,
	})
	b.sender = message.NewSender(b.client.API())
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	return b.client.Run(ctx, func(ctx context.Context) error { return b.run(ctx, flag.Arg(3), *until) })
}

func main() {
	if err := work(); err != nil {
		fmt.Fprintln(os.Stderr, "gotd-bench:", err)
		os.Exit(1)
	}
	fmt.Println("done")
}
