--- help.* and langpack.*: what a client asks before and right after the login.
local help = {}

local function dcOptions(ctx)
  local list = {}
  for _, a in ipairs(ctx.server.addresses) do
    list[#list + 1] = { _ = "dcOption", ipv6 = a.host:find(":", 1, true) and true or nil, id = a.dc, ip_address = a.host, port = a.port }
  end
  if #list == 0 then
    for _, dc in ipairs(ctx.model.dcs) do list[#list + 1] = { _ = "dcOption", id = dc, ip_address = "127.0.0.1", port = 443 } end
  end
  return list
end

help["help.getConfig"] = function(ctx)
  local now = ctx.model:now()
  return {
    _ = "config", date = now, expires = now + 3600, test_mode = false, this_dc = ctx.dc, dc_options = dcOptions(ctx),
    dc_txt_domain_name = "localhost", chat_size_max = 200, megagroup_size_max = 200000, forwarded_count_max = 100,
    online_update_period_ms = 210000, offline_blur_timeout_ms = 5000, offline_idle_timeout_ms = 30000, online_cloud_timeout_ms = 300000,
    notify_cloud_delay_ms = 30000, notify_default_delay_ms = 1500, push_chat_period_ms = 60000, push_chat_limit = 2,
    edit_time_limit = 172800, revoke_time_limit = 0x7fffffff, revoke_pm_time_limit = 0x7fffffff, rating_e_decay = 2419200,
    stickers_recent_limit = 200, channels_read_media_period = 604800, call_receive_timeout_ms = 20000, call_ring_timeout_ms = 90000,
    call_connect_timeout_ms = 30000, call_packet_timeout_ms = 10000, me_url_prefix = "https://t.me/", caption_length_max = 1024,
    message_length_max = 4096, webfile_dc_id = ctx.dc, default_p2p_contacts = true, revoke_pm_inbox = true,
  }
end

help["help.getNearestDc"] = function(ctx)
  return { _ = "nearestDc", country = "XX", this_dc = ctx.dc, nearest_dc = ctx.dc }
end

help["help.getAppConfig"] = function() return { _ = "help.appConfig", hash = 1, config = { _ = "jsonObject", value = {} } } end
help["help.getAppUpdate"] = function() return { _ = "help.noAppUpdate" } end
help["help.getCdnConfig"] = function() return { _ = "cdnConfig", public_keys = {} } end
help["help.getInviteText"] = function() return { _ = "help.inviteText", message = "Come to the sandbox." } end
help["help.getCountriesList"] = function() return { _ = "help.countriesList", countries = {}, hash = 0 } end
help["help.getPromoData"] = function(ctx) return { _ = "help.promoDataEmpty", expires = ctx.model:now() + 3600 } end
help["help.getPeerColors"] = function() return { _ = "help.peerColors", hash = 0, colors = {} } end
help["help.getPeerProfileColors"] = help["help.getPeerColors"]
help["help.getTimezonesList"] = function() return { _ = "help.timezonesList", timezones = {}, hash = 0 } end
help["help.getUserInfo"] = function() return { _ = "help.userInfoEmpty" } end
help["help.saveAppLog"] = function() return true end
help["help.setBotUpdatesStatus"] = function() return true end
help["help.dismissSuggestion"] = function() return true end

help["help.getTermsOfServiceUpdate"] = function(ctx)
  return { _ = "help.termsOfServiceUpdateEmpty", expires = ctx.model:now() + 3600 }
end

help["help.getPremiumPromo"] = function()
  return {
    _ = "help.premiumPromo", status_text = "", status_entities = {}, video_sections = {}, videos = {}, period_options = {}, users = {},
  }
end

local function noPack(_, p)
  return { _ = "langPackDifference", lang_code = p.lang_code, from_version = p.from_version or 0, version = 1, strings = {} }
end
help["langpack.getLangPack"] = noPack
help["langpack.getDifference"] = noPack
help["langpack.getStrings"] = function() return {} end
help["langpack.getLanguages"] = function() return {} end

return help
