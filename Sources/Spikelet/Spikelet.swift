@_exported public import SpikeConversion
@_exported public import SpikeData
@_exported public import SpikeEvaluation
@_exported public import SpikeFormats
@_exported public import SpikeGraph
@_exported public import SpikeONNX
@_exported public import SpikeReference
@_exported public import SpikeRuntime
