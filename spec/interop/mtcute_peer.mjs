#!/usr/bin/env node
// mtcute as the other end: logs in to a server of ours and chats, one line of standard output for each thing done.
//
//   mtcute_peer.mjs HOST PORT KEY --dc N --bot TOKEN           an echo bot (with a menu at /menu), until SIGTERM
//   mtcute_peer.mjs HOST PORT KEY --dc N --user PHONE --say BOT TEXT...   a person who writes and waits for each answer
//   mtcute_peer.mjs HOST PORT KEY --dc N --user PHONE --tour BOT          ... and edits, deletes, reads, lists
//   mtcute_peer.mjs HOST PORT KEY --dc N --user PHONE --click BOT TEXT LABEL   ... and presses a button
//
// With --pfs it uses temporary keys. With --first NAME, a person must sign up, and does by that name.
// KEY is the server's public key (PKCS#1 PEM). Ends with 1 and a line "failed ..." when anything is not as it should be.
// Its modules are in build/interop/node, or where MTCUTE_MODULES says.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import process from 'node:process'
import { parseArgs } from 'node:util'

const modules = process.env.MTCUTE_MODULES ?? fileURLToPath(new URL('../../build/interop/node', import.meta.url))
const load = file => import(pathToFileURL(`${modules}/node_modules/@mtcute/${file}`))
const core = await load('core/index.js')
const { TcpTransport, TelegramClient } = await load('node/index.js')
const { addPublicKey } = await load('core/utils.js')

const TRANSPORTS = {
  'intermediate': () => new core.IntermediatePacketCodec(),
  'padded': () => new core.PaddedIntermediatePacketCodec(),
  'obfuscated-intermediate': () => new core.ObfuscatedPacketCodec(new core.IntermediatePacketCodec()),
  'obfuscated-padded': () => new core.ObfuscatedPacketCodec(new core.PaddedIntermediatePacketCodec()),
}

class Failed extends Error {}
const say = (...words) => process.stdout.write(`${words.join(' ')}\n`)
const check = (right, what) => {
  if (!right) throw new Failed(what)
}

const { values: args, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    dc: { type: 'string', default: '1' },
    bot: { type: 'string' },
    user: { type: 'string' },
    code: { type: 'string' },
    first: { type: 'string' },
    say: { type: 'boolean' },
    tour: { type: 'boolean' },
    click: { type: 'boolean' },
    pfs: { type: 'boolean' },
    transport: { type: 'string', default: 'intermediate' },
    timeout: { type: 'string', default: '15' },
    verbose: { type: 'boolean' },
  },
})
const [host, port, key, username, ...texts] = positionals
const patience = Number(args.timeout) * 1000
if (!key || !(args.bot || (args.user && username && (args.say || args.tour || args.click)))
  || !TRANSPORTS[args.transport]) {
  process.stderr.write('use: see the head of mtcute_peer.mjs\n')
  process.exit(2)
}

function makeClient() {
  const sha1 = data => createHash('sha1').update(data).digest()
  addPublicKey({ sha1 }, readFileSync(key, 'utf8'))
  const dc = { ipAddress: host, port: Number(port), id: Number(args.dc) }
  const transport = new TcpTransport()
  transport.packetCodec = TRANSPORTS[args.transport]
  const client = new TelegramClient({
    apiId: 1,
    apiHash: 'hash',
    storage: new core.MemoryStorage(),
    defaultDcs: { main: dc, media: dc },
    transport,
    network: { usePfs: args.pfs },
    logLevel: args.verbose ? 5 : 1,
  })
  client.onError.add((error) => {
    // It does not pad an auth key whose first byte is zero, one in 256, and then tries again by itself.
    if (`${error}`.includes('invalid nonce hash from server')) return
    say('failed', `${error}`)
    status = 1
  })
  return client
}

// A queue with a patient reader.
class Queue {
  items = []
  waiting = []
  put(item) {
    const waiter = this.waiting.shift()
    if (waiter) waiter(item)
    else this.items.push(item)
  }

  get(what) {
    if (this.items.length > 0) return Promise.resolve(this.items.shift())
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Failed(`no answer to ${what}`)), patience)
      this.waiting.push((item) => {
        clearTimeout(timer)
        resolve(item)
      })
    })
  }
}

async function runBot(client) {
  const stopped = new Promise((resolve) => {
    process.on('SIGTERM', resolve)
    process.on('SIGINT', resolve)
  })
  client.onNewMessage.add(async (message) => {
    if (message.isOutgoing) return
    if (message.text === '/menu') {
      const replyMarkup = core.BotKeyboard.inline([[core.BotKeyboard.callback('One', 'one')]])
      await client.sendText(message.chat, 'menu', { replyMarkup })
    } else if (message.text) {
      await client.sendText(message.chat, message.text)
    }
  })
  client.onCallbackQuery.add(query => client.answerCallbackQuery(query, { text: `pressed ${query.dataStr}` }))
  const me = await client.start({ botToken: args.bot })
  check(me.isBot, 'a bot that is no bot')
  say('me', me.id, me.username)
  say('ready')
  await stopped
}

async function logIn(client) {
  const code = args.code ?? args.user.replace('+', '')[5].repeat(5)
  const wrong = (code[0] === '1' ? '2' : '1').repeat(5)
  const sent = await client.sendCode({ phone: args.user })
  const options = { phone: args.user, phoneCodeHash: sent.phoneCodeHash }
  try {
    await client.signIn({ ...options, phoneCode: wrong })
    throw new Failed('a wrong code was taken')
  } catch (error) {
    if (!core.tl.RpcError.is(error, 'PHONE_CODE_INVALID')) throw error
  }
  let me
  try {
    me = await client.signIn({ ...options, phoneCode: code })
    check(!args.first, 'no sign-up was asked for')
  } catch (error) {
    if (!(error instanceof core.MtUnsupportedError)) throw error
    check(args.first, 'a sign-up was asked for')
    const names = { firstName: args.first, lastName: 'mtcute' }
    // It has no sign-up of its own any more.
    const auth = await client.call({ _: 'auth.signUp', phoneNumber: args.user, phoneCodeHash: sent.phoneCodeHash, ...names })
    me = new core.User(await client.notifyLoggedIn(auth))
    check(me.firstName === args.first && me.lastName === 'mtcute', 'signed up by another name')
  }
  check(me.isSelf && me.phoneNumber === args.user.replace('+', ''), 'somebody else logged in')
  say('me', me.id)
}

async function runPerson(client) {
  const answers = new Queue()
  await logIn(client)
  const bot = await client.resolvePeer(`@${username}`)
  const botUser = await client.getUser(bot)
  check(botUser.isBot && botUser.username.toLowerCase() === username.toLowerCase(), 'resolved to another')
  say('resolved', botUser.id, botUser.username)
  client.onNewMessage.add((message) => {
    if (!message.isOutgoing && message.sender.id === botUser.id) answers.put(message)
  })
  const ask = async (text) => {
    const sent = await client.sendText(bot, text)
    const answer = await answers.get(text)
    say('answer', answer.text)
    return [sent, answer]
  }

  if (args.say) {
    for (const text of texts) await ask(text)
  } else if (args.click) {
    const [, answer] = await ask(texts[0])
    const button = answer.markup?.buttons.flat().find(b => b.text === texts[1])
    check(button, `no button ${texts[1]}`)
    const result = await client.getCallbackAnswer({ chatId: bot, message: answer.id, data: button.data })
    say('clicked', result.message ?? '')
  } else {
    await tour(client, bot, botUser, ask)
  }
}

async function tour(client, bot, botUser, ask) {
  const [sent, answer] = await ask('hello')
  check(answer.text === 'hello', 'not an echo')
  const [, last] = await ask('zwei äöü 🙂')
  check(last.text === 'zwei äöü 🙂', 'not an echo of what is not ASCII')

  const edited = await client.editMessage({ chatId: bot, message: sent.id, text: 'hello, edited' })
  check(edited.text === 'hello, edited', 'the edit\'s answer')
  const [again] = await client.getMessages(bot, sent.id)
  check(again.text === 'hello, edited' && again.editDate, 'the edited message')
  say('edited', again.text)

  await client.readHistory(bot, { maxId: last.id })
  await client.call({ _: 'messages.setTyping', peer: bot, action: { _: 'sendMessageTypingAction' } })
  say('read', last.id)

  const [gone] = await ask('delete me')
  await client.deleteMessagesById(bot, [gone.id], { revoke: true })
  const [missing] = await client.getMessages(bot, gone.id)
  check(missing === null, 'deleted, and still there')
  say('deleted', gone.id)

  const history = await client.getHistory(bot, { limit: 10 })
  const said = history.map(m => m.text)
  check(said[0] === 'delete me' && said[1] === 'zwei äöü 🙂' && said.includes('hello, edited'), `history ${said}`)
  const page = await client.getHistory(bot, { limit: 2, offset: { id: history[1].id, date: 0 } })
  check(page.length === 2 && page[0].id === history[2].id && page[1].id === history[3].id, 'history by offset')
  say('history', history.length)

  const dialogs = []
  for await (const dialog of client.iterDialogs()) dialogs.push(dialog)
  check(dialogs.some(d => d.peer.id === botUser.id && d.lastMessage?.id === history[0].id), 'dialogs')
  say('dialogs', dialogs.length)

  const full = await client.getFullUser('me')
  check(full.isSelf, 'getFullUser')
  const me = await client.getMe()
  check(me.phoneNumber === args.user.replace('+', ''), 'getMe')
  const state = await client.call({ _: 'updates.getState' })
  const difference = await client.call({ _: 'updates.getDifference', pts: state.pts - 1, date: state.date, qts: state.qts })
  check(difference._ !== 'updates.differenceEmpty', 'a difference that is empty')
  say('difference', difference._)
  try {
    await client.resolvePeer('@nobody_of_this_name')
    throw new Failed('resolved nobody')
  } catch (error) {
    if (error instanceof Failed) throw error
  }
}

let status = 0
const client = makeClient()
try {
  if (args.bot) {
    await runBot(client)
  } else {
    await runPerson(client)
    await client.logOut()
    say('done')
  }
} catch (error) {
  say('failed', args.verbose ? error.stack : `${error.name}: ${error.message}`)
  status = 1
}
await client.destroy()
process.exit(status)
