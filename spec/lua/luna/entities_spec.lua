local entities = require "luna.entities"

local function check(parse, source, text, wanted)
  local got, list = parse(source)
  assert.equal(text, got)
  local short = {}
  for i, e in ipairs(list) do
    short[i] = ("%s %d+%d"):format(e._:gsub("^messageEntity", ""):gsub("^inputMessageEntity", ""), e.offset, e.length)
  end
  assert.same(wanted, short)
  return list
end

describe("luna.entities", function()
  describe("HTML", function()
    local html = entities.html

    it("counts in UTF-16", function()
      check(html, "😀<b>x</b>é<i>y</i>", "😀xéy", { "Bold 2+1", "Italic 4+1" })
    end)

    it("nests, outer first", function()
      check(html, "<b>a<i>b</i></b>", "ab", { "Bold 0+2", "Italic 1+1" })
    end)

    it("makes links, mentions and custom emoji", function()
      local list = check(html, [[<a href="http://x/?a=1&amp;b=2">l</a> <a href='tg://user?id=7'>m</a> <tg-emoji emoji-id="5">e</tg-emoji>]],
        "l m e", { "TextUrl 0+1", "MentionName 2+1", "CustomEmoji 4+1" })
      assert.equal("http://x/?a=1&b=2", list[1].url)
      assert.equal(7, list[2].user_id)
      assert.equal(5, list[3].document_id)
    end)

    it("takes the language of a code block", function()
      local list = check(html, '<pre><code class="language-lua">x</code></pre>', "x", { "Pre 0+1" })
      assert.equal("lua", list[1].language)
    end)

    it("decodes character references once", function()
      check(html, "&lt;b&gt; &amp;lt; &#128512;&#x41;&unknown;", "<b> &lt; 😀A&unknown;", {})
    end)

    it("leaves what is no tag alone and closes what was left open", function()
      check(html, "a < b, <x>y</x> </i><b>z", "a < b, <x>y</x> </i>z", { "Bold 20+1" })
    end)

    it("drops blanks at the ends and shifts what stands between", function()
      check(html, "  \n<b> x</b> ", "x", { "Bold 0+1" })
    end)

    it("drops an entity of nothing", function() check(html, "<b></b>x", "x", {}) end)

    it("escapes what it would read", function()
      local source = '<a href="x">&amp;</a>'
      assert.equal(source, (html(entities.escape(source))))
    end)
  end)

  describe("Markdown", function()
    local markdown = entities.markdown

    it("knows the marks", function()
      check(markdown, "*b* **c** _i_ __u__ ~s~ ||p|| `c`", "b c i u s p c",
        { "Bold 0+1", "Bold 2+1", "Italic 4+1", "Underline 6+1", "Strike 8+1", "Spoiler 10+1", "Code 12+1" })
    end)

    it("takes nothing inside code", function()
      local list = check(markdown, "```lua\n*x*\n``` `_y_`", "*x* _y_", { "Pre 0+3", "Code 4+3" })
      assert.equal("lua", list[1].language)
    end)

    it("keeps names with underscores, lone marks and escaped ones", function()
      check(markdown, "snake_case_name 2 * 3 * 4 \\*x\\* **", "snake_case_name 2 * 3 * 4 *x* **", {})
    end)

    it("nests inside links", function()
      local list = check(markdown, "[a*b*](http://x)", "ab", { "TextUrl 0+2", "Bold 1+1" })
      assert.equal("http://x", list[1].url)
    end)

    it("survives deep nesting of marks", function()
      local text = markdown(("["):rep(5000) .. ("*"):rep(5000))
      assert.is_string(text)
    end)
  end)

  it("knows its modes", function()
    assert.equal(entities.html, entities.parser "html")
    assert.equal(entities.markdown, entities.parser "Markdown")
    assert.is_nil(entities.parser "BBCode")
    assert.is_nil(entities.parser(5))
  end)
end)
