import SpikeCommands

await SpikeletCommand.main()
