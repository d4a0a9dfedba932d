// The people, the bots and what they have written: each user has a box with message ids and a pts of its own, and a
// log of what happened to it, from which differences are made. All of it is in memory and under server.mu.
package main

import (
	"crypto/rand"
	"encoding/binary"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/gotd/td/tg"
)

const firstPts = 1000

type user struct {
	tg.User
	token    string
	pts      int
	messages map[int]*tg.Message // by the id in this user's box
	lastID   int
	log      []event
	twin     map[int]twin // the same message in the other's box
	randoms  map[int64]bool
	unread   map[int64]int // by peer
	readIn   map[int64]int
}

type twin struct {
	peer int64
	id   int
}

// event is one step of a box's pts.
type event struct {
	pts    int
	update tg.UpdateClass
	fresh  *tg.Message // set for a new message
}

type world struct {
	dc, port int
	host     string
	short    bool
	users    map[int64]*user
	nextID   int64
}

func newWorld(dc int, host string, port int, short bool) *world {
	return &world{dc: dc, host: host, port: port, short: short, users: map[int64]*user{}, nextID: 1_000_001}
}

func random64() int64 {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return int64(binary.LittleEndian.Uint64(b[:]))
}

func (w *world) add(id int64, first, username, phone string) *user {
	u := &user{pts: firstPts, messages: map[int]*tg.Message{}, twin: map[int]twin{}, randoms: map[int64]bool{},
		unread: map[int64]int{}, readIn: map[int64]int{}}
	u.ID, u.FirstName, u.Username, u.Phone = id, first, username, phone
	u.SetAccessHash(random64())
	w.users[id] = u
	return u
}

var tokenForm = regexp.MustCompile(`^([0-9]+):[A-Za-z0-9_-]{8,}$`)

// botByToken finds the bot, or makes it; nil for what is no token.
func (w *world) botByToken(token, name string) *user {
	m := tokenForm.FindStringSubmatch(token)
	if m == nil {
		return nil
	}
	id, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		return nil
	}
	if u := w.users[id]; u != nil {
		if u.token != token {
			return nil
		}
		return u
	}
	if name == "" {
		name = "bot" + m[1] + "_bot"
	}
	u := w.add(id, name, name, "")
	u.token, u.Bot = token, true
	u.SetBotInfoVersion(1)
	return u
}

func (w *world) byPhone(phone string, create bool) *user {
	phone = strings.TrimPrefix(phone, "+")
	for _, u := range w.users {
		if u.Phone == phone {
			return u
		}
	}
	if !create {
		return nil
	}
	w.nextID++
	return w.add(w.nextID, "User "+phone[len(phone)-4:], "", phone)
}

func (w *world) byUsername(name string) *user {
	for _, u := range w.users {
		if u.Username != "" && strings.EqualFold(u.Username, name) {
			return u
		}
	}
	return nil
}

// seen is u as viewer sees it.
func (u *user) seen(viewer *user) *tg.User {
	v := u.User
	v.Self = viewer == u
	if v.Self || v.Phone == "" || viewer == nil {
		v.Phone = u.Phone
	} else {
		v.Phone = ""
	}
	v.SetFlags()
	return &v
}

func (w *world) people(viewer *user, ids ...int64) []tg.UserClass {
	out := []tg.UserClass{}
	done := map[int64]bool{}
	for _, id := range ids {
		if u := w.users[id]; u != nil && !done[id] {
			done[id] = true
			out = append(out, u.seen(viewer))
		}
	}
	return out
}

// step moves the box on by n and logs what did it.
func (u *user) step(n int, make func(pts int) tg.UpdateClass, fresh *tg.Message) tg.UpdateClass {
	u.pts += n
	update := make(u.pts)
	u.log = append(u.log, event{pts: u.pts, update: update, fresh: fresh})
	return update
}

// deliver puts a message into one box and returns the update about it.
func (u *user) deliver(m tg.Message) (*tg.Message, tg.UpdateClass) {
	u.lastID++
	m.ID = u.lastID
	m.SetFlags()
	own := &m
	u.messages[m.ID] = own
	update := u.step(1, func(pts int) tg.UpdateClass {
		return &tg.UpdateNewMessage{Message: own, Pts: pts, PtsCount: 1}
	}, own)
	return own, update
}

func (u *user) state() *tg.UpdatesState {
	return &tg.UpdatesState{Pts: u.pts, Qts: 0, Date: int(time.Now().Unix()), Seq: 0}
}

// with lists the messages exchanged with peer, newest first.
func (u *user) with(peer int64) []*tg.Message {
	out := []*tg.Message{}
	for _, m := range u.messages {
		if p, ok := m.PeerID.(*tg.PeerUser); ok && p.UserID == peer {
			out = append(out, m)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID > out[j].ID })
	return out
}

// peers lists those whom u has talked to, the latest first.
func (u *user) peers() []int64 {
	last := map[int64]int{}
	for id, m := range u.messages {
		if p, ok := m.PeerID.(*tg.PeerUser); ok && id > last[p.UserID] {
			last[p.UserID] = id
		}
	}
	out := make([]int64, 0, len(last))
	for id := range last {
		out = append(out, id)
	}
	sort.Slice(out, func(i, j int) bool { return last[out[i]] > last[out[j]] })
	return out
}
