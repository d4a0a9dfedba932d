// The command `drive`: a person who does what its further arguments say, or standard input, one line at a time:
//
//	say TEXT     sends one message to the bot; prints "said"
//	flood N [W]  sends N messages, with at most W (100) not yet answered; prints "answered N" at every hundredth and
//	             "flooded N SECONDS" when each has been answered once
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gotd/td/telegram/message"
)

func drive(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("drive", flag.ExitOnError)
	where := placeFlags(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() < 1 {
		return errors.New("whom?")
	}
	var orders io.Reader = os.Stdin
	if flags.NArg() > 1 {
		orders = strings.NewReader(strings.Join(flags.Args()[1:], "\n"))
	}
	return asPerson(ctx, where, func(ctx context.Context, p *person) error {
		bot := message.NewSender(p.client.API()).Resolve("@" + flags.Arg(0))
		if _, err := bot.AsInputPeer(ctx); err != nil {
			return err
		}
		fmt.Println("ready")
		lines := bufio.NewScanner(orders)
		for lines.Scan() {
			word, rest, _ := strings.Cut(lines.Text(), " ")
			switch word {
			case "say":
				if _, err := bot.Text(ctx, rest); err != nil {
					return err
				}
				fmt.Println("said")
			case "flood":
				n, window := 0, 100
				if f := strings.Fields(rest); len(f) > 0 {
					n, _ = strconv.Atoi(f[0])
					if len(f) > 1 {
						window, _ = strconv.Atoi(f[1])
					}
				}
				took, err := p.flood(ctx, bot, n, window, *where.patience)
				if err != nil {
					return err
				}
				fmt.Println("flooded", n, took.Seconds())
			default:
				return fmt.Errorf("unknown word %q", word)
			}
		}
		return lines.Err()
	})
}

// flood sends n messages and waits until each is answered by an echo of its own, once; what answers something else counts for nothing.
func (p *person) flood(ctx context.Context, bot *message.RequestBuilder, n, window int, patience time.Duration) (
	time.Duration, error,
) {
	for len(p.answers) > 0 {
		<-p.answers
	}
	start, slots, failed := time.Now(), make(chan struct{}, window), make(chan error, 1)
	mark := fmt.Sprintf("flood %d.", start.UnixNano())
	text := func(i int) string { return mark + strconv.Itoa(i) }
	open := map[string]bool{}
	for i := 0; i < n; i++ {
		open[text(i)] = true
	}
	go func() {
		for i := 0; i < n; i++ {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			go func() {
				if _, err := bot.Text(ctx, text(i)); err != nil {
					select {
					case failed <- err:
					default:
					}
				}
			}()
		}
	}()
	for len(open) > 0 {
		select {
		case answer := <-p.answers:
			if !strings.HasPrefix(answer, mark) {
				continue
			}
			if !open[answer] {
				return 0, fmt.Errorf("an answer too many: %q", answer)
			}
			delete(open, answer)
			<-slots
			if done := n - len(open); done%100 == 0 {
				fmt.Println("answered", done)
			}
		case err := <-failed:
			return 0, err
		case <-time.After(patience):
			return 0, fmt.Errorf("%d of %d answered", n-len(open), n)
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return time.Since(start), nil
}
