--- A dialog as text, for the messages of failed tests: who said what, with buttons. Called by person.lua.
local boxes = require "luna.sandbox.boxes"
local actions = require "luna.sandbox.actions"
local describe = require "luna.sandbox.describe"
local keyboards = require "luna.sandbox.keyboards"

local conversation = {}

local LAST = 20 -- messages shown

--- The last messages between a person and a peer.
function conversation.show(person, peer)
  local model = person.world.model
  local owner = actions.owner({ user = person.account }, peer)
  local dialog = boxes.dialog(model, owner, peer)
  local lines = { "the conversation:" }
  local list = dialog and dialog.ids or {}
  if #list == 0 then return "the conversation is empty" end
  if #list > LAST then lines[#lines + 1] = ("  (%d earlier ones)"):format(#list - LAST) end
  for i = math.max(1, #list - LAST + 1), #list do
    local core = boxes.core(model, owner, list[i])
    local text = describe.message { message = core.text, media = core.media, action = core.action }
    local labels = keyboards.labels(core.markup)
    lines[#lines + 1] = ("  %s: %s%s%s"):format(model:name(core.by), (text:gsub("\n", "\n    ")), core.edited and " (edited)" or "",
      #labels > 0 and "  [" .. table.concat(labels, "] [") .. "]" or "")
  end
  return table.concat(lines, "\n")
end

return conversation
