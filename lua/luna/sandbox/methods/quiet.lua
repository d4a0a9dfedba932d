--- Methods about things that a sandbox does not have (stickers, stories, stars, …): complete, empty answers, so that clients that ask for
--- everything on their way in get on.
local ids = require "luna.ids"
local peers = require "luna.sandbox.peers"

local quiet = {}

local function always(name, value)
  quiet[name] = function() return value end
end

always("messages.getAllStickers", { _ = "messages.allStickers", hash = 0, sets = {} })
always("messages.getMaskStickers", { _ = "messages.allStickers", hash = 0, sets = {} })
always("messages.getEmojiStickers", { _ = "messages.allStickers", hash = 0, sets = {} })
always("messages.getStickers", { _ = "messages.stickers", hash = 0, stickers = {} })
always("messages.getRecentStickers", { _ = "messages.recentStickers", hash = 0, packs = {}, stickers = {}, dates = {} })
always("messages.getFavedStickers", { _ = "messages.favedStickers", hash = 0, packs = {}, stickers = {} })
always("messages.getFeaturedStickers", { _ = "messages.featuredStickers", hash = 0, count = 0, sets = {}, unread = {} })
always("messages.getFeaturedEmojiStickers", { _ = "messages.featuredStickers", hash = 0, count = 0, sets = {}, unread = {} })
always("messages.getArchivedStickers", { _ = "messages.archivedStickers", count = 0, sets = {} })
always("messages.getSavedGifs", { _ = "messages.savedGifs", hash = 0, gifs = {} })
always("messages.getAvailableReactions", { _ = "messages.availableReactions", hash = 0, reactions = {} })
always("messages.getTopReactions", { _ = "messages.reactions", hash = 0, reactions = {} })
always("messages.getRecentReactions", { _ = "messages.reactions", hash = 0, reactions = {} })
always("messages.getDefaultTagReactions", { _ = "messages.reactions", hash = 0, reactions = {} })
always("messages.getSavedReactionTags", { _ = "messages.savedReactionTags", tags = {}, hash = 0 })
always("messages.getAvailableEffects", { _ = "messages.availableEffects", hash = 0, effects = {}, documents = {} })
always("messages.getAttachMenuBots", { _ = "attachMenuBots", hash = 0, bots = {}, users = {} })
always("messages.getQuickReplies", { _ = "messages.quickReplies", quick_replies = {}, messages = {}, chats = {}, users = {} })
always("messages.getSavedDialogs", { _ = "messages.savedDialogs", dialogs = {}, messages = {}, chats = {}, users = {} })
always("messages.getPinnedSavedDialogs", { _ = "messages.savedDialogs", dialogs = {}, messages = {}, chats = {}, users = {} })
always("messages.getUnreadMentions", { _ = "messages.messages", messages = {}, topics = {}, chats = {}, users = {} })
always("messages.getUnreadReactions", { _ = "messages.messages", messages = {}, topics = {}, chats = {}, users = {} })
always("messages.getSponsoredMessages", { _ = "messages.sponsoredMessagesEmpty" })
always("messages.getDefaultHistoryTTL", { _ = "defaultHistoryTTL", period = 0 })
always("messages.getEmojiKeywordsLanguages", {})
always("messages.getCustomEmojiDocuments", {})
always("messages.getWebPagePreview", {
  _ = "messages.webPagePreview", media = { _ = "messageMediaEmpty" }, chats = {}, users = {},
})
always("messages.saveDraft", true)
always("messages.clearAllDrafts", true)
always("messages.hidePeerSettingsBar", true)
always("messages.reportSpam", true)
always("messages.reportMessagesDelivery", true)
always("channels.getChannelRecommendations", { _ = "messages.chats", chats = {} })
always("channels.getAdminedPublicChannels", { _ = "messages.chats", chats = {} })
always("channels.getLeftChannels", { _ = "messages.chats", chats = {} })
always("stories.getAllStories", {
  _ = "stories.allStories", count = 0, state = "", peer_stories = {}, chats = {}, users = {}, stealth_mode = { _ = "storiesStealthMode" },
})
always("stories.getPinnedStories", { _ = "stories.stories", count = 0, stories = {}, chats = {}, users = {} })
always("stories.getChatsToSend", { _ = "messages.chats", chats = {} })
always("payments.getPremiumGiftCodeOptions", {})
always("payments.getStarsTopupOptions", {})
always("payments.getStarsStatus", {
  _ = "payments.starsStatus", balance = { _ = "starsAmount", amount = 0, nanos = 0 }, chats = {}, users = {},
})
always("phone.getCallConfig", { _ = "dataJSON", data = "{}" })

local function nothing(ctx) return { _ = "updates", updates = {}, users = {}, chats = {}, date = ctx.model:now(), seq = 0 } end
quiet["messages.getAllDrafts"] = nothing
quiet["messages.getPaidReactionPrivacy"] = nothing
quiet["stories.getAllReadPeerStories"] = nothing
quiet["stories.getPeerStories"] = function(ctx, p)
  local peer = ids.toPeer(peers.marked(ctx, p.peer))
  return { _ = "stories.peerStories", stories = { _ = "peerStories", peer = peer, stories = {} }, chats = {}, users = {} }
end

local function noKeywords(_, p)
  return { _ = "emojiKeywordsDifference", lang_code = p.lang_code, from_version = p.from_version or 0, version = 1, keywords = {} }
end
quiet["messages.getEmojiKeywords"] = noKeywords
quiet["messages.getEmojiKeywordsDifference"] = noKeywords

return quiet
