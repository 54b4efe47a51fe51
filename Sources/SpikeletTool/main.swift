import ArgumentParser
import SpikeCommands

await SpikeletCommand.main()
