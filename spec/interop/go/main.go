// teled: an independent Telegram server and an independent user, both made of gotd/td's parts, for the interop specs.
//
//	teled serve [-listen 127.0.0.1:0] [-dc 1] [-key-dir DIR] [-bot NAME=TOKEN]... [-short] [-strict] [-log]
//	teled say -server HOST:PORT -dc N -key FILE [-phone 9996610001] [-transport NAME] BOT TEXT...
//	teled drive -server HOST:PORT -dc N -key FILE BOT     (see drive.go)
//
// serve prints "listen HOST:PORT", "dc N", "key FILE", "bot NAME TOKEN", "ready" and runs until SIGTERM. say logs in as
// a person, writes each TEXT to BOT in turn, prints "said TEXT" and the answer as "answer TEXT"; it ends with 1 if one is
// not answered.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// list collects a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	commands := map[string]func(context.Context, []string) error{"serve": serve, "say": say, "drive": drive}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "use: teled serve|say|drive [flags]")
		os.Exit(2)
	}
	if err := commands[os.Args[1]](ctx, os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "teled "+os.Args[1]+":", err)
		os.Exit(1)
	}
}
