---@meta

---A stream of values: advance() and getCurrent(), or a generic `for`.
---@class luna.Iterator
---@operator call: any
local Iterator = {}

---A promise of true where there is another value, of false at the end.
---@return luna.Promise<boolean>
function Iterator:advance() end

---The value that advance() announced.
---@return any
function Iterator:getCurrent() end

---@class luna.Emitter
local Emitter = {}

---Emits a value; the promise resolves when it was taken.
---@param value any
---@return luna.Promise
function Emitter:emit(value) end

---Ends the iterator.
function Emitter:complete() end

---Ends the iterator with an error.
---@param err? any
function Emitter:fail(err) end

---The iterator of what is emitted.
---@return luna.Iterator
function Emitter:iterate() end

---Iterators from iterators.
---@class luna.iterator
local iterator = {}

---An iterator of the values of a sequence or of an iterator function; promises are waited for.
---```lua
---for value in luna.iterator.fromTable{ 1, 2, 3 } do print(value) end
---```
---@param values any[]|fun(): any
---@param delay? number milliseconds before each
---@return luna.Iterator
function iterator.fromTable(values, delay) end

---An iterator of fn(value) for each value.
---@param it luna.Iterator
---@param fn fun(value: any): any
---@return luna.Iterator
function iterator.map(it, fn) end

---An iterator of the values for which fn(value) is true.
---@param it luna.Iterator
---@param fn fun(value: any): any
---@return luna.Iterator
function iterator.filter(it, fn) end

---An iterator of the values of several, one after the other.
---@param iterators luna.Iterator[]
---@return luna.Iterator
function iterator.concat(iterators) end

---An iterator of the values of several, as they come.
---@param iterators luna.Iterator[]
---@return luna.Iterator
function iterator.merge(iterators) end

---Waits for the end; the list of all values.
---@param it luna.Iterator
---@return any[]
function iterator.toArray(it) end

---Waits for the end; how many values there were.
---@param it luna.Iterator
---@return integer
function iterator.discard(it) end
