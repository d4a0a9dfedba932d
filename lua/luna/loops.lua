--- The loop classes that luna.Loop, luna.GenericLoop … name: work that runs beside the handlers, can be paused, resumed, signalled.
return {
  Loop = require "luna.loops.loop".Loop,
  ResumableLoop = require "luna.loops.resumable",
  SignalLoop = require "luna.loops.signal",
  ResumableSignalLoop = require "luna.loops.resumable_signal",
  GenericLoop = require "luna.loops.generic",
  PeriodicLoop = require "luna.loops.periodic",
}
