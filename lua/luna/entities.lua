--- parse_mode: HTML and Markdown → plain text and entities, with offsets in UTF-16 code units as Telegram counts them; and entities back
--- to HTML. Pure. A tag that is unknown, not closed or closed in the wrong order stays text: what a user typed must never fail a send.
--- The time is in proportion to the text, whatever it is made of.
local entities = {}

-- UTF-16 units of the bytes of s: a character of four bytes is two.
local function units(s)
  local n = 0
  for i = 1, #s do
    local b = s:byte(i)
    if b < 0x80 or b >= 0xc0 then n = n + (b >= 0xf0 and 2 or 1) end
  end
  return n
end
entities.units = units

local named = { lt = "<", gt = ">", amp = "&", quot = '"', apos = "'", nbsp = "\u{a0}" }

local function decode(s)
  if not s:find("&", 1, true) then return s end
  return (s:gsub("&(#?)([xX]?)(%w+);", function(hash, x, body)
    if hash == "" then return x == "" and named[body] or named[x .. body] or nil end
    local code = tonumber(body, x ~= "" and 16 or 10)
    if not code or code < 1 or code > 0x10ffff or (code >= 0xd800 and code <= 0xdfff) then return nil end
    return utf8.char(math.tointeger(code))
  end))
end

--- Text for use inside HTML.
function entities.escape(s) return (s:gsub("[&<>\"]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" })) end

local simple = {
  b = "Bold", strong = "Bold", i = "Italic", em = "Italic", u = "Underline", ins = "Underline", s = "Strike", strike = "Strike",
  del = "Strike", code = "Code", ["tg-spoiler"] = "Spoiler",
}

-- Where a link leads: a mention of a user by id, or an address.
local function link(url)
  local user = url:match "^tg://user%?id=(%d+)$"
  if user then return { _ = "inputMessageEntityMentionName", user_id = math.tointeger(tonumber(user)) } end
  return { _ = "messageEntityTextUrl", url = url }
end

local function attributes(s)
  local found, at = {}, 1
  while true do
    local _, to, name = s:find("([%w_-]+)%s*", at)
    if not to then return found end
    local value
    at = to + 1
    if s:sub(at, at) == "=" then
      at = s:match("^%s*()", at + 1)
      local quote = s:match("^[\"']", at)
      local close = quote and s:find(quote, at + 1, true)
      if close then
        value, at = s:sub(at + 1, close - 1), close + 1
      elseif not quote then
        value = s:match("^[^%s\"'>]+", at)
        at = at + #(value or "")
      end
    end
    name = name:lower()
    if found[name] == nil then found[name] = value and decode(value) or true end
  end
end

-- The entity of an opening tag, or nil where the tag means nothing here.
local function opening(tag, rest)
  local kind = simple[tag]
  if kind then
    if tag == "code" then return { _ = "messageEntityCode", class = attributes(rest).class } end
    return { _ = "messageEntity" .. kind }
  end
  local a = attributes(rest)
  if tag == "pre" then return { _ = "messageEntityPre", language = type(a.language) == "string" and a.language or "" } end
  if tag == "blockquote" then return { _ = "messageEntityBlockquote", collapsed = a.expandable and true or nil } end
  if tag == "a" then return type(a.href) == "string" and link(a.href) or { _ = "none" } end
  if tag == "span" then return { _ = a.class == "tg-spoiler" and "messageEntitySpoiler" or "none" } end
  if tag == "tg-emoji" then
    local id = math.tointeger(tonumber(a["emoji-id"]))
    return id and { _ = "messageEntityCustomEmoji", document_id = id } or { _ = "none" }
  end
  return nil
end

-- Collects text and entities; offsets are counted as the text grows.
local function sink()
  local out = { parts = {}, at = 0, list = {} }
  function out.text(s)
    if s == "" then return end
    out.parts[#out.parts + 1] = s
    out.at = out.at + units(s)
  end
  return out
end

-- Blanks at both ends are dropped, as the server drops them; entities are cut to what is left, in order of where they begin.
local function finish(out)
  local text = table.concat(out.parts)
  local first, last = text:match "^%s*()", text:match "^.*%S()" or 1
  local lead = units(text:sub(1, first - 1))
  text = text:sub(first, last - 1)
  local total = units(text)
  local list = {}
  for _, e in ipairs(out.list) do
    local from, to = math.max(0, e.offset - lead), math.min(total, e.offset + e.length - lead)
    if to > from and e._ ~= "none" then
      e.offset, e.length, e.class = from, to - from, nil
      e.order = nil
      list[#list + 1] = e
    end
  end
  local order = {}
  for i, e in ipairs(list) do order[e] = i end
  table.sort(list, function(a, b)
    if a.offset ~= b.offset then return a.offset < b.offset end
    if a.length ~= b.length then return a.length > b.length end
    return order[a] < order[b]
  end)
  return text, list
end

--- HTML as the Bot API has it.
function entities.html(source)
  local out, stack, at = sink(), {}, 1
  while true do
    local from = source:find("<", at, true)
    local to = from and source:find("[<>]", from + 1)
    if not to then break end
    local slash, tag, rest
    if source:byte(to) == 62 then slash, tag, rest = source:sub(from + 1, to - 1):match "^(/?)(%a[%w-]*)(.*)$" end
    out.text(decode(source:sub(at, from - 1)))
    at = to + 1
    tag = tag and tag:lower()
    if not tag then
      if source:byte(to) == 60 then at = to end
      out.text(decode(source:sub(from, at - 1)))
    elseif tag == "br" and slash == "" then
      out.text "\n"
    elseif slash == "" then
      local entity = opening(tag, rest)
      if entity then
        entity.offset = out.at
        stack[#stack + 1] = { tag = tag, entity = entity }
      else
        out.text(decode(source:sub(from, to)))
      end
    else
      local top = stack[#stack]
      if top and top.tag == tag then
        stack[#stack] = nil
        local entity, outer = top.entity, stack[#stack]
        entity.length = out.at - entity.offset
        local language = tag == "code" and type(entity.class) == "string" and entity.class:match "^language%-(.+)$"
        if tag == "code" and outer and outer.tag == "pre" then
          if language then outer.entity.language = language end -- <pre><code class="language-lua">: one entity
        else
          out.list[#out.list + 1] = entity
        end
      else
        out.text(decode(source:sub(from, to)))
      end
    end
  end
  out.text(decode(source:sub(at)))
  for _, open in ipairs(stack) do -- not closed: to the end
    open.entity.length = out.at - open.entity.offset
    out.list[#out.list + 1] = open.entity
  end
  return finish(out)
end

local marks = {
  { "**", "Bold" }, { "*", "Bold" }, { "__", "Underline" }, { "_", "Italic" }, { "~~", "Strike" }, { "~", "Strike" }, { "||", "Spoiler" },
}

local function isWord(c) return c ~= "" and c:find "[%w\128-\255]" ~= nil end

--- Markdown: *bold* or **bold**, _italic_, __underline__, ~strike~, ||spoiler||, `code`, ```lang, [text](url), \ before a mark.
function entities.markdown(source)
  local out = sink()
  local function span(s, depth)
    local at = 1
    local bracket = 0 -- the next "]" or line's end
    local closers = {} -- mark → the next place where it may close, or false
    -- Where a mark that opened before `inner` may close.
    local function closer(m, inner)
      local close = closers[m]
      if close == false or close and close >= inner then return close end
      close = s:find(m, inner, true)
      while close and (s:sub(close - 1, close - 1) == "\\" or (m:sub(1, 1) == "_" and isWord(s:sub(close + #m, close + #m)))) do
        close = s:find(m, close + 1, true)
      end
      closers[m] = close or false
      return close
    end
    while at <= #s do
      local from = s:find("[\\*_~|`%[]", at)
      if not from then break end
      out.text(s:sub(at, from - 1))
      at = from
      local c, done = s:sub(from, from), false
      if c == "\\" and s:sub(from + 1, from + 1):find "%p" then
        out.text(s:sub(from + 1, from + 1))
        at, done = from + 2, true
      elseif s:sub(from, from + 2) == "```" then
        local close = s:find("```", from + 3, true)
        if close then
          local body = s:sub(from + 3, close - 1)
          local language, code = body:match "^([%w+#_-]*)\n(.*)$"
          local entity = { _ = "messageEntityPre", language = language or "", offset = out.at }
          out.text(((code or body):gsub("\n$", "")))
          entity.length = out.at - entity.offset
          out.list[#out.list + 1] = entity
          at, done = close + 3, true
        end
      elseif c == "`" then
        local close = s:find("`", from + 1, true)
        if close and close > from + 1 then
          local entity = { _ = "messageEntityCode", offset = out.at }
          out.text(s:sub(from + 1, close - 1))
          entity.length = out.at - entity.offset
          out.list[#out.list + 1] = entity
          at, done = close + 1, true
        end
      elseif c == "[" then
        if bracket and bracket <= from then bracket = s:find("[]\n]", from + 1) end
        local url, close
        if bracket and bracket > from + 1 and s:byte(bracket) == 93 then url, close = s:match("^%(([^()%s]+)%)()", bracket + 1) end
        if url and depth < 8 then
          local text = s:sub(from + 1, bracket - 1)
          local entity = link(url)
          entity.offset = out.at
          span(text, depth + 1)
          entity.length = out.at - entity.offset
          out.list[#out.list + 1] = entity
          at, done = close, true
        end
      else
        for _, mark in ipairs(marks) do
          local m = mark[1]
          if s:sub(from, from + #m - 1) == m and depth < 8 then
            local inner = from + #m
            local inWord = m:sub(1, 1) == "_" and from > 1 and isWord(s:sub(from - 1, from - 1)) -- snake_case_names are no italics
            local close = not inWord and not s:sub(inner, inner):find "%s" and closer(m, inner)
            if close and close > inner then
              local entity = { _ = "messageEntity" .. mark[2], offset = out.at }
              span(s:sub(inner, close - 1), depth + 1)
              entity.length = out.at - entity.offset
              out.list[#out.list + 1] = entity
              at, done = close + #m, true
              break
            end
          end
        end
      end
      if not done then
        out.text(c)
        at = from + 1
      end
    end
    out.text(s:sub(at))
  end
  span(source, 0)
  return finish(out)
end

local parsers = { html = entities.html, markdown = entities.markdown, markdownv2 = entities.markdown }

--- The parser of a parse_mode, or nil: fn(text) → text, entities
function entities.parser(mode)
  return type(mode) == "string" and parsers[mode:lower()] or nil
end

return entities
