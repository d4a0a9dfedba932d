--- The errors that a method of the sandbox answers with: `rpc.fail(400, "PEER_ID_INVALID")` anywhere below a handler becomes the
--- call's rpc_error; whatever else is raised is a fault of the sandbox's own (500 INTERNAL, and the log says where).
local rpc = {}

local meta = { __name = "luna.sandbox.RpcError" }
function meta.__tostring(e) return ("%d %s"):format(e.code, e.text) end

function rpc.error(code, text) return setmetatable({ code = code, text = text }, meta) end

function rpc.fail(code, text) error(rpc.error(code, text), 0) end

function rpc.is(x) return getmetatable(x) == meta end

return rpc
