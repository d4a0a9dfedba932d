// The command `say`: a person with gotd's client, who logs in, writes to a bot and waits for each answer.
package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gotd/td/exchange"
	sessions "github.com/gotd/td/session"
	"github.com/gotd/td/telegram"
	"github.com/gotd/td/telegram/auth"
	"github.com/gotd/td/telegram/dcs"
	"github.com/gotd/td/telegram/message"
	"github.com/gotd/td/tg"
	"github.com/gotd/td/transport"
)

func publicKey(file string) (exchange.PublicKey, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return exchange.PublicKey{}, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return exchange.PublicKey{}, fmt.Errorf("%s: no PEM", file)
	}
	key, err := x509.ParsePKCS1PublicKey(block.Bytes)
	return exchange.PublicKey{RSA: key}, err
}

var transports = map[string]dcs.Protocol{
	"abridged": transport.Abridged, "intermediate": transport.Intermediate, "padded": transport.PaddedIntermediate,
	"full": transport.Full,
}

// clientOptions point gotd's client at one server.
func clientOptions(server, keyFile, framing string, dc int) (telegram.Options, error) {
	host, portText, err := net.SplitHostPort(server)
	if err != nil {
		return telegram.Options{}, err
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return telegram.Options{}, err
	}
	key, err := publicKey(keyFile)
	if err != nil {
		return telegram.Options{}, err
	}
	obfuscated := strings.HasPrefix(framing, "obfuscated-")
	protocol := transports[strings.TrimPrefix(framing, "obfuscated-")]
	if protocol == nil {
		return telegram.Options{}, fmt.Errorf("unknown transport %q", framing)
	}
	return telegram.Options{
		DC:         dc,
		DCList:     dcs.List{Options: []tg.DCOption{{ID: dc, IPAddress: host, Port: port, Static: true}}},
		PublicKeys: []telegram.PublicKey{key},
		Resolver:   dcs.Plain(dcs.PlainOptions{Protocol: protocol, Obfuscated: obfuscated}),
	}, nil
}

// place is where to log in, and as whom.
type place struct {
	server, key, phone, first, transport *string
	dc                                   *int
	pfs                                  *bool
	patience                             *time.Duration
}

func placeFlags(flags *flag.FlagSet) place {
	return place{
		server:    flags.String("server", "", "HOST:PORT"),
		key:       flags.String("key", "", "the server's public key, PEM"),
		dc:        flags.Int("dc", 1, "number of the data centre"),
		phone:     flags.String("phone", "", "a test phone, 99966XYYYY"),
		first:     flags.String("first", "", "sign up by this name"),
		transport: flags.String("transport", "intermediate", "[obfuscated-]abridged|intermediate|padded|full"),
		pfs:       flags.Bool("pfs", false, "use temporary keys"),
		patience:  flags.Duration("timeout", 15*time.Second, "how long to wait for each answer"),
	}
}

// person is a client that is logged in; what others write to it comes in answers.
type person struct {
	client  *telegram.Client
	answers chan string
}

// asPerson logs in, prints "me ID" and calls do.
func asPerson(ctx context.Context, where place, do func(context.Context, *person) error) error {
	phone := *where.phone
	if phone == "" {
		phone = fmt.Sprintf("99966%d0007", *where.dc)
	}
	options, err := clientOptions(*where.server, *where.key, *where.transport, *where.dc)
	if err != nil {
		return err
	}
	options.EnablePFS = *where.pfs
	p := &person{answers: make(chan string, 1<<14)}
	updates := tg.NewUpdateDispatcher()
	updates.OnNewMessage(func(_ context.Context, _ tg.Entities, u *tg.UpdateNewMessage) error {
		if m, ok := u.Message.(*tg.Message); ok && !m.Out {
			p.answers <- m.Message
		}
		return nil
	})
	options.UpdateHandler = shortMessages{updates, p}
	options.SessionStorage = &sessions.StorageMemory{}
	p.client = telegram.NewClient(1, "hash", options)
	return p.client.Run(ctx, func(ctx context.Context) error {
		code := auth.CodeAuthenticatorFunc(func(context.Context, *tg.AuthSentCode) (string, error) {
			return strings.Repeat(phone[5:6], 5), nil
		})
		user := signer{auth.CodeOnly(phone, code), where}
		if err := p.client.Auth().IfNecessary(ctx, auth.NewFlow(user, auth.SendCodeOptions{})); err != nil {
			return err
		}
		me, err := p.client.Self(ctx)
		if err != nil {
			return err
		}
		if *where.first != "" && (me.FirstName != *where.first || me.LastName != "gotd") {
			return fmt.Errorf("logged in as %s %s", me.FirstName, me.LastName)
		}
		fmt.Println("me", me.ID)
		return do(ctx, p)
	})
}

// signer signs up where a name is given.
type signer struct {
	auth.UserAuthenticator
	where place
}

func (s signer) AcceptTermsOfService(context.Context, tg.HelpTermsOfService) error { return nil }

func (s signer) SignUp(context.Context) (auth.UserInfo, error) {
	if *s.where.first == "" {
		return auth.UserInfo{}, errors.New("a sign-up was asked for")
	}
	return auth.UserInfo{FirstName: *s.where.first, LastName: "gotd"}, nil
}

// shortMessages takes updateShortMessage too, which gotd's dispatcher leaves to its gap manager.
type shortMessages struct {
	next tg.UpdateDispatcher
	p    *person
}

func (s shortMessages) Handle(ctx context.Context, u tg.UpdatesClass) error {
	if m, ok := u.(*tg.UpdateShortMessage); ok {
		if !m.Out {
			s.p.answers <- m.Message
		}
		return nil
	}
	return s.next.Handle(ctx, u)
}

func say(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("say", flag.ExitOnError)
	where := placeFlags(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() < 2 {
		return errors.New("whom, and what to say?")
	}
	return asPerson(ctx, where, func(ctx context.Context, p *person) error {
		bot := message.NewSender(p.client.API()).Resolve("@" + flags.Arg(0))
		for _, text := range flags.Args()[1:] {
			if _, err := bot.Text(ctx, text); err != nil {
				return err
			}
			fmt.Println("said", text)
			select {
			case answer := <-p.answers:
				fmt.Println("answer", answer)
			case <-time.After(*where.patience):
				return fmt.Errorf("no answer to %q", text)
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
}
