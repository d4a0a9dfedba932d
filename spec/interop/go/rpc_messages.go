// Calls about messages: private chats between the world's users and bots, with edits, deletions, read marks, history,
// dialogs and the answers to buttons.
package main

import (
	"context"
	"time"

	"github.com/gotd/td/mt"
	"github.com/gotd/td/proto"
	"github.com/gotd/td/tg"
)

const callbackPatience = 15 * time.Second

// callback is a pressed button that waits for the bot's answer.
type callback struct {
	session *session
	id      int64
	timer   *time.Timer
}

func (s *server) registerMessages(d *tg.ServerDispatcher) {
	d.OnMessagesSendMessage(s.sendMessage)
	d.OnMessagesEditMessage(s.editMessage)
	d.OnMessagesDeleteMessages(s.deleteMessages)
	d.OnMessagesGetMessages(s.getMessages)
	d.OnMessagesGetHistory(s.getHistory)
	d.OnMessagesGetDialogs(s.getDialogs)
	d.OnMessagesGetPeerDialogs(s.getPeerDialogs)
	d.OnMessagesReadHistory(s.readHistory)
	d.OnMessagesSetTyping(s.setTyping)
	d.OnMessagesGetBotCallbackAnswer(s.getBotCallbackAnswer)
	d.OnMessagesSetBotCallbackAnswer(s.setBotCallbackAnswer)
}

// push sends updates to every session of u but one.
func (s *server) push(u *user, but *session, people []tg.UserClass, updates ...tg.UpdateClass) {
	for _, sess := range s.sessions {
		if sess.key.owner().user != u || sess == but || sess.quiet {
			continue
		}
		s.send(sess, proto.MessageFromServer, true, 0, &tg.Updates{
			Updates: updates, Users: people, Date: int(time.Now().Unix()),
		})
	}
}

// pushMessage tells of a new message, in the short form where that is wanted and can say it all.
func (s *server) pushMessage(u *user, but *session, m *tg.Message, update tg.UpdateClass, others ...tg.UpdateClass) {
	peer, _ := m.PeerID.(*tg.PeerUser)
	if !s.world.short || m.ReplyMarkup != nil || len(others) > 0 || peer == nil {
		s.push(u, but, s.world.people(u, partners(m)...), append(others, update)...)
		return
	}
	short := &tg.UpdateShortMessage{Out: m.Out, ID: m.ID, UserID: peer.UserID, Message: m.Message, Pts: u.pts, PtsCount: 1,
		Date: m.Date, Entities: m.Entities}
	short.SetFlags()
	for _, sess := range s.sessions {
		if sess.key.owner().user == u && sess != but && !sess.quiet {
			s.send(sess, proto.MessageFromServer, true, 0, short)
		}
	}
}

func (s *server) sendMessage(ctx context.Context, r *tg.MessagesSendMessageRequest) (tg.UpdatesClass, error) {
	me, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	to, err := s.inputPeer(me, r.Peer)
	switch {
	case err != nil:
		return nil, err
	case r.Message == "":
		return nil, fail(400, "MESSAGE_EMPTY")
	case len(r.Message) > 4*4096:
		return nil, fail(400, "MESSAGE_TOO_LONG")
	case me.randoms[r.RandomID]:
		return nil, fail(500, "RANDOM_ID_DUPLICATE")
	}
	me.randoms[r.RandomID] = true

	m := tg.Message{Out: true, PeerID: &tg.PeerUser{UserID: to.ID}, FromID: &tg.PeerUser{UserID: me.ID},
		Date: int(time.Now().Unix()), Message: r.Message, Entities: r.Entities, ReplyMarkup: r.ReplyMarkup}
	if reply, ok := r.ReplyTo.(*tg.InputReplyToMessage); ok {
		header := &tg.MessageReplyHeader{}
		header.SetReplyToMsgID(reply.ReplyToMsgID)
		m.SetReplyTo(header)
	}
	own, update := me.deliver(m)
	people := s.world.people(me, me.ID, to.ID)
	if to != me {
		m.Out, m.PeerID = false, &tg.PeerUser{UserID: me.ID}
		if t, ok := me.twin[replyID(r)]; ok && m.ReplyTo != nil {
			header := &tg.MessageReplyHeader{}
			header.SetReplyToMsgID(t.id)
			m.SetReplyTo(header)
		}
		theirs, news := to.deliver(m)
		me.twin[own.ID], to.twin[theirs.ID] = twin{to.ID, theirs.ID}, twin{me.ID, own.ID}
		to.unread[me.ID]++
		s.pushMessage(to, nil, theirs, news)
	}
	session := requestOf(ctx).session
	s.pushMessage(me, session, own, update)
	if me.Bot {
		return &tg.Updates{Updates: []tg.UpdateClass{&tg.UpdateMessageID{ID: own.ID, RandomID: r.RandomID}, update},
			Users: people, Date: own.Date}, nil
	}
	short := &tg.UpdateShortSentMessage{Out: true, ID: own.ID, Pts: me.pts, PtsCount: 1, Date: own.Date, Entities: own.Entities}
	short.SetFlags()
	return short, nil
}

func replyID(r *tg.MessagesSendMessageRequest) int {
	if reply, ok := r.ReplyTo.(*tg.InputReplyToMessage); ok {
		return reply.ReplyToMsgID
	}
	return 0
}

func (s *server) editMessage(ctx context.Context, r *tg.MessagesEditMessageRequest) (tg.UpdatesClass, error) {
	me, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := s.inputPeer(me, r.Peer); err != nil {
		return nil, err
	}
	m := me.messages[r.ID]
	switch {
	case m == nil:
		return nil, fail(400, "MESSAGE_ID_INVALID")
	case !m.Out:
		return nil, fail(403, "MESSAGE_AUTHOR_REQUIRED")
	}
	edit := func(u *user, id int) tg.UpdateClass {
		m := u.messages[id]
		if m == nil {
			return nil
		}
		if r.Message != "" {
			m.Message, m.Entities = r.Message, r.Entities
		}
		m.ReplyMarkup = r.ReplyMarkup
		m.EditDate = int(time.Now().Unix())
		m.Flags = 0
		m.SetFlags()
		return u.step(1, func(pts int) tg.UpdateClass {
			return &tg.UpdateEditMessage{Message: m, Pts: pts, PtsCount: 1}
		}, nil)
	}
	update := edit(me, r.ID)
	people := s.world.people(me, partners(m)...)
	s.push(me, requestOf(ctx).session, people, update)
	if t, ok := me.twin[r.ID]; ok {
		other := s.world.users[t.peer]
		if news := edit(other, t.id); news != nil {
			s.push(other, nil, s.world.people(other, me.ID, other.ID), news)
		}
	}
	return &tg.Updates{Updates: []tg.UpdateClass{update}, Users: people, Date: m.EditDate}, nil
}

func (s *server) deleteMessages(ctx context.Context, r *tg.MessagesDeleteMessagesRequest) (*tg.MessagesAffectedMessages, error) {
	me, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	remove := func(u *user, but *session, ids []int) int {
		gone := []int{}
		for _, id := range ids {
			if u.messages[id] != nil {
				delete(u.messages, id)
				gone = append(gone, id)
			}
		}
		if len(gone) > 0 {
			update := u.step(len(gone), func(pts int) tg.UpdateClass {
				return &tg.UpdateDeleteMessages{Messages: gone, Pts: pts, PtsCount: len(gone)}
			}, nil)
			s.push(u, but, nil, update)
		}
		return len(gone)
	}
	others := map[int64][]int{}
	for _, id := range r.ID {
		if t, ok := me.twin[id]; ok && me.messages[id] != nil && (r.Revoke || me.Bot) {
			others[t.peer] = append(others[t.peer], t.id)
		}
	}
	n := remove(me, requestOf(ctx).session, r.ID)
	for peer, ids := range others {
		remove(s.world.users[peer], nil, ids)
	}
	return &tg.MessagesAffectedMessages{Pts: me.pts, PtsCount: n}, nil
}

// listed makes the answer of the calls that give messages.
func (s *server) listed(me *user, ms []tg.MessageClass) *tg.MessagesMessages {
	ids := []int64{me.ID}
	for _, c := range ms {
		if m, ok := c.(*tg.Message); ok {
			ids = append(ids, partners(m)...)
		}
	}
	return &tg.MessagesMessages{Messages: ms, Users: s.world.people(me, ids...)}
}

func (s *server) getMessages(ctx context.Context, ids []tg.InputMessageClass) (tg.MessagesMessagesClass, error) {
	me, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	out := []tg.MessageClass{}
	for _, in := range ids {
		var m *tg.Message
		id := 0
		switch in := in.(type) {
		case *tg.InputMessageID:
			id = in.ID
		case *tg.InputMessageReplyTo:
			if of := me.messages[in.ID]; of != nil {
				if header, ok := of.ReplyTo.(*tg.MessageReplyHeader); ok {
					id = header.ReplyToMsgID
				}
			}
		}
		if m = me.messages[id]; m != nil {
			out = append(out, m)
		} else {
			empty := &tg.MessageEmpty{ID: id}
			empty.SetFlags()
			out = append(out, empty)
		}
	}
	return s.listed(me, out), nil
}

func (s *server) getHistory(ctx context.Context, r *tg.MessagesGetHistoryRequest) (tg.MessagesMessagesClass, error) {
	me, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	if me.Bot {
		return nil, fail(400, "BOT_METHOD_INVALID")
	}
	with, err := s.inputPeer(me, r.Peer)
	if err != nil {
		return nil, err
	}
	out := []tg.MessageClass{}
	all := me.with(with.ID)
	start := 0
	if r.OffsetID > 0 {
		for start < len(all) && all[start].ID >= r.OffsetID {
			start++
		}
	}
	for _, m := range all[min(max(start+r.AddOffset, 0), len(all)):] {
		if len(out) < max(min(r.Limit, 100), 1) && (r.MaxID == 0 || m.ID < r.MaxID) && m.ID > r.MinID {
			out = append(out, m)
		}
	}
	return s.listed(me, out), nil
}

func (s *server) dialogs(me *user, peers []int64) ([]tg.DialogClass, []tg.MessageClass) {
	dialogs, tops := []tg.DialogClass{}, []tg.MessageClass{}
	for _, peer := range peers {
		all := me.with(peer)
		if len(all) == 0 {
			continue
		}
		d := &tg.Dialog{Peer: &tg.PeerUser{UserID: peer}, TopMessage: all[0].ID, UnreadCount: me.unread[peer],
			ReadInboxMaxID: me.readIn[peer]}
		d.SetFlags()
		dialogs, tops = append(dialogs, d), append(tops, all[0])
	}
	return dialogs, tops
}

func (s *server) getDialogs(ctx context.Context, r *tg.MessagesGetDialogsRequest) (tg.MessagesDialogsClass, error) {
	me, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	if me.Bot {
		return nil, fail(400, "BOT_METHOD_INVALID")
	}
	peers := []int64{}
	for _, peer := range me.peers() {
		if all := me.with(peer); r.OffsetID == 0 || all[0].ID < r.OffsetID {
			peers = append(peers, peer)
		}
	}
	all := len(peers)
	peers = peers[:min(len(peers), max(r.Limit, 1))]
	dialogs, tops := s.dialogs(me, peers)
	people := s.world.people(me, append(peers, me.ID)...)
	if len(peers) < all {
		return &tg.MessagesDialogsSlice{Count: all, Dialogs: dialogs, Messages: tops, Users: people}, nil
	}
	return &tg.MessagesDialogs{Dialogs: dialogs, Messages: tops, Users: people}, nil
}

func (s *server) getPeerDialogs(ctx context.Context, in []tg.InputDialogPeerClass) (*tg.MessagesPeerDialogs, error) {
	me, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	peers := []int64{}
	for _, p := range in {
		if p, ok := p.(*tg.InputDialogPeer); ok {
			u, err := s.inputPeer(me, p.Peer)
			if err != nil {
				return nil, err
			}
			peers = append(peers, u.ID)
		}
	}
	dialogs, tops := s.dialogs(me, peers)
	return &tg.MessagesPeerDialogs{Dialogs: dialogs, Messages: tops, Users: s.world.people(me, append(peers, me.ID)...),
		State: *me.state()}, nil
}

func (s *server) readHistory(ctx context.Context, r *tg.MessagesReadHistoryRequest) (*tg.MessagesAffectedMessages, error) {
	me, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	with, err := s.inputPeer(me, r.Peer)
	if err != nil {
		return nil, err
	}
	last := 0
	for _, m := range me.with(with.ID) {
		if !m.Out && (r.MaxID == 0 || m.ID <= r.MaxID) {
			last = max(last, m.ID)
		}
	}
	if last <= me.readIn[with.ID] {
		return &tg.MessagesAffectedMessages{Pts: me.pts}, nil
	}
	me.readIn[with.ID], me.unread[with.ID] = last, 0
	s.push(me, requestOf(ctx).session, nil, me.step(1, func(pts int) tg.UpdateClass {
		u := &tg.UpdateReadHistoryInbox{Peer: &tg.PeerUser{UserID: with.ID}, MaxID: last, Pts: pts, PtsCount: 1}
		u.SetFlags()
		return u
	}, nil))
	if t, ok := me.twin[last]; ok && with != me {
		s.push(with, nil, nil, with.step(1, func(pts int) tg.UpdateClass {
			return &tg.UpdateReadHistoryOutbox{Peer: &tg.PeerUser{UserID: me.ID}, MaxID: t.id, Pts: pts, PtsCount: 1}
		}, nil))
	}
	return &tg.MessagesAffectedMessages{Pts: me.pts, PtsCount: 1}, nil
}

func (s *server) setTyping(ctx context.Context, r *tg.MessagesSetTypingRequest) (bool, error) {
	me, err := s.caller(ctx)
	if err != nil {
		return false, err
	}
	to, err := s.inputPeer(me, r.Peer)
	if err != nil {
		return false, err
	}
	if to != me {
		typing := &tg.UpdateUserTyping{UserID: me.ID, Action: r.Action}
		s.push(to, nil, s.world.people(to, me.ID), typing)
	}
	return true, nil
}

func (s *server) getBotCallbackAnswer(ctx context.Context, r *tg.MessagesGetBotCallbackAnswerRequest) (
	*tg.MessagesBotCallbackAnswer, error,
) {
	me, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	bot, err := s.inputPeer(me, r.Peer)
	if err != nil {
		return nil, err
	}
	t, ok := me.twin[r.MsgID]
	if !ok || t.peer != bot.ID || !bot.Bot {
		return nil, fail(400, "MESSAGE_ID_INVALID")
	}
	at := requestOf(ctx)
	query := random64() & (1<<62 - 1)
	waiting := &callback{session: at.session, id: at.id}
	waiting.timer = time.AfterFunc(callbackPatience, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.finishCallback(query, nil)
	})
	s.pending[query] = waiting
	update := &tg.UpdateBotCallbackQuery{QueryID: query, UserID: me.ID, Peer: &tg.PeerUser{UserID: me.ID}, MsgID: t.id,
		ChatInstance: me.ID, Data: r.Data}
	update.SetFlags()
	s.push(bot, nil, s.world.people(bot, me.ID), update)
	return nil, errLater
}

func (s *server) setBotCallbackAnswer(ctx context.Context, r *tg.MessagesSetBotCallbackAnswerRequest) (bool, error) {
	me, err := s.caller(ctx)
	if err != nil {
		return false, err
	}
	if !me.Bot || s.pending[r.QueryID] == nil {
		return false, fail(400, "QUERY_ID_INVALID")
	}
	answer := &tg.MessagesBotCallbackAnswer{Alert: r.Alert, Message: r.Message, URL: r.URL, CacheTime: r.CacheTime}
	answer.SetFlags()
	s.finishCallback(r.QueryID, answer)
	return true, nil
}

// finishCallback answers whoever pressed the button; nil: the bot was silent for too long.
func (s *server) finishCallback(query int64, answer *tg.MessagesBotCallbackAnswer) {
	waiting := s.pending[query]
	if waiting == nil {
		return
	}
	delete(s.pending, query)
	waiting.timer.Stop()
	if answer == nil {
		s.answer(waiting.session, waiting.id, &mt.RPCError{ErrorCode: 400, ErrorMessage: "BOT_RESPONSE_TIMEOUT"})
		return
	}
	s.answer(waiting.session, waiting.id, answer)
}
