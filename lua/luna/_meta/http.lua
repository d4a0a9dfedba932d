---@meta

---Options of HTTP requests; also the defaults of a client.
---@class luna.HTTPOptions
---@field headers? table<string, string|string[]|false>
---@field query? table<string, any>
---@field method? string
---@field body? any a string, a table (a form), a function (the next piece or nil), a file, an iterator, another answer
---@field form? table
---@field json? any
---@field multipart? table[] parts { name, value | path | file, filename, type }
---@field contentLength? integer of a streamed body
---@field timeout? number seconds over all
---@field connectTimeout? number seconds to the connection; 10
---@field inactivityTimeout? number seconds without a byte, where it is not the script that is waited for; 30
---@field maxSize? number bytes of the body, uncompressed
---@field redirects? integer how many; 10
---@field insecureRedirects? boolean whether https may lead to http
---@field private? boolean whether addresses of this machine and of private networks may be reached
---@field cookies? boolean|any
---@field proxies? string[] URLs, used where the direct way failed
---@field doh? string a server of DNS over HTTPS
---@field ca? string a PEM file
---@field cert? string a PEM file
---@field key? string a PEM file
---@field pin? string a public key's hash, "sha256//BASE64"
---@field auth? { user: string, password: string }
---@field bearer? string
---@field userAgent? string
---@field version? "1.1"|"2"|"2-prior"
---@field compressed? boolean
---@field progress? fun(received: integer, total: integer?, sent: integer, sendTotal: integer?) what it raises ends the request, and is raised there
---@field async? boolean
---@field cancellation? luna.CancellationToken ends the request, or the body that is still on its way

---@class luna.HTTPClient
---@field cookies luna.HTTPCookies
local Client = {}

---A request; the answer, as soon as its headers are there.
---@param url string|luna.HTTPRequest|table
---@param options? luna.HTTPOptions
---@return luna.HTTPResponse
function Client:request(url, options) end

---GET.
---```lua
---local answer = luna.getHTTPClient():get("https://example.org/data.json")
---if answer.ok then print(answer:json().name) end
---```
---@param url string
---@param options? luna.HTTPOptions
---@return luna.HTTPResponse
function Client:get(url, options) end

---@param url string
---@param options? luna.HTTPOptions
---@return luna.HTTPResponse
function Client:head(url, options) end

---@param url string
---@param options? luna.HTTPOptions
---@return luna.HTTPResponse
function Client:delete(url, options) end

---@param url string
---@param options? luna.HTTPOptions
---@return luna.HTTPResponse
function Client:options(url, options) end

---POST; a table as the body is sent as a form.
---```lua
---luna.getHTTPClient():post("https://example.org/orders", nil, { json = { drink = "tea" } })
---```
---@param url string
---@param body? any
---@param options? luna.HTTPOptions
---@return luna.HTTPResponse
function Client:post(url, body, options) end

---@param url string
---@param body? any
---@param options? luna.HTTPOptions
---@return luna.HTTPResponse
function Client:put(url, body, options) end

---@param url string
---@param body? any
---@param options? luna.HTTPOptions
---@return luna.HTTPResponse
function Client:patch(url, body, options) end

---The body of a good answer; raises an HTTPException for a status of 400 and above.
---@param url string
---@param options? luna.HTTPOptions
---@return string
function Client:fetch(url, options) end

---A client with these options over its own.
---@param defaults luna.HTTPOptions
---@return luna.HTTPClient
function Client:with(defaults) end

---@class luna.HTTPCookies
local Cookies = {}

---@return table[]
function Cookies:all() end

---@param name string
---@param domain? string
---@return string?
function Cookies:get(name, domain) end

---@param cookie table
function Cookies:set(cookie) end

function Cookies:clear() end

---@param path string
function Cookies:save(path) end

---@param path string
function Cookies:load(path) end

---An answer. What nobody reads of its body makes the server wait.
---@class luna.HTTPResponse
---@field status integer
---@field reason string
---@field ok boolean
---@field headers luna.HTTPHeaders
---@field url string
---@field version string
---@field redirects { url: string, status: integer }[] the steps that led there
---@field address? string
local Response = {}

---The whole body.
---@param options? luna.CallOptions
---@return string
function Response:body(options) end

---The next piece of the body, of at most n bytes; nil at its end.
---@param n? integer
---@param options? luna.CallOptions
---@return string?
function Response:read(n, options) end

---An iterator over the body's pieces.
---@param n? integer
---@return fun(): string?
function Response:pieces(n) end

---The body, decoded from JSON.
---@param options? table
---@return any
function Response:json(options) end

---Writes the body into a file, which appears when the whole is there; the count of its bytes.
---@param path string
---@param options? luna.CallOptions
---@return integer
function Response:save(path, options) end

---The rest of the body is not wanted.
function Response:close() end

---@return integer
function Response:getStatus() end

---@return string
function Response:getReason() end

---@return luna.HTTPHeaders
function Response:getHeaders() end

---@param name string
---@return string?
function Response:getHeader(name) end

---@param name string
---@return string[]
function Response:getHeaderArray(name) end

---@param name string
---@return boolean
function Response:hasHeader(name) end

---@return string
function Response:getProtocolVersion() end

---@return luna.HTTPBody
function Response:getBody() end

---What getBody gives, by amphp's names.
---@class luna.HTTPBody
local Body = {}

---The whole body.
---@param options? luna.CallOptions
---@return string
function Body:buffer(options) end

---The next piece of the body; nil at its end.
---@param n? integer
---@param options? luna.CallOptions
---@return string?
function Body:read(n, options) end

---The rest of the body is not wanted.
function Body:close() end

---Headers: names in any case; `headers["content-type"]` is the first value.
---@class luna.HTTPHeaders
---@field [string] string
local Headers = {}

---@param name string
---@return string[]
function Headers:all(name) end

---A request put together step by step, for client:request(request).
---@class luna.HTTPRequest
---@overload fun(url: string, method?: string): luna.HTTPRequest
local Request = {}

---@param method string
function Request:setMethod(method) end

---@param name string
---@param value string
function Request:setHeader(name, value) end

---@param name string
---@param value string
function Request:addHeader(name, value) end

---@param body any
function Request:setBody(body) end

---@param seconds number
function Request:setTransferTimeout(seconds) end

---@class luna.http
---@field Request luna.HTTPRequest
local http = {}

---A client of its own, with defaults.
---@param defaults? luna.HTTPOptions
---@return luna.HTTPClient
function http.Client(defaults) end

---@param url string
---@param options? luna.HTTPOptions
---@return luna.HTTPResponse
function http.get(url, options) end

---@param url string
---@param body? any
---@param options? luna.HTTPOptions
---@return luna.HTTPResponse
function http.post(url, body, options) end

---@param url string|luna.HTTPRequest|table
---@param options? luna.HTTPOptions
---@return luna.HTTPResponse
function http.request(url, options) end

---A text as a part of a URL.
---@param text string
---@return string
function http.urlEncode(text) end
