---@meta

-- What specs have, by busted; `luna test` runs them.

---A block of tests.
---@param name string
---@param fn fun()
function describe(name, fn) end

---One test; it may wait.
---@param name string
---@param fn? fun()
function it(name, fn) end

---@param fn fun()
function before_each(fn) end

---@param fn fun()
function after_each(fn) end

---@param fn fun()
function setup(fn) end

---@param fn fun()
function teardown(fn) end

---@param fn fun()
function finally(fn) end

---@param name string
---@param fn? fun()
function pending(name, fn) end

---@class luna.spec.assert
---@field [string] any
---@overload fun(value: any, message?: any, ...: any): any, ...
assert = nil
