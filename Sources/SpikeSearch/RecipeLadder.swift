public import SpikeConversion
public import SpikeGraph

/// A recipe as a search goes through it: numbers of steps from the least up, and how to convert for one of them.
public struct RecipeLadder: Sendable {
    /// Converts an ANN for a number of steps, with thresholds from the data.
    public typealias Conversion = @Sendable (_ ann: Graph, _ steps: Int, _ data: any BatchSource) throws -> Graph

    /// The recipe's name.
    public let recipe: String
    /// The numbers of time steps T (K for radix codes) to try, ascending.
    public let steps: [Int]
    /// Spikes of a neuron in a step, roughly: orders the first tries, until a network of this ladder has been measured.
    public let expectedRate: Double
    /// Makes the network of a rung.
    public let convert: Conversion

    /// - Throws: ``SpikeletError`` where `steps` are none, or not ascending from 1 or more.
    public init(recipe: String, steps: [Int], expectedRate: Double = 0.13, convert: @escaping Conversion) throws {
        guard let least = steps.first, least >= 1, zip(steps, steps.dropFirst()).allSatisfy({ $0 < $1 }) else {
            throw SpikeletError(
                .invalidOption, "a search of the recipe '\(recipe)' through the steps \(steps)",
                remedy: "give one or more numbers from 1 up, in ascending order")
        }
        self.recipe = recipe
        self.steps = steps
        self.expectedRate = expectedRate
        self.convert = convert
    }

    /// The usual ladder of a recipe: K = 2…8 for radix, T = 12…32 for one spike of a latency code, 8…16 for two, 2…16 for bursts, 4…32 for
    /// signed neurons, 8…64 for others.
    ///
    /// - Parameter convert: how to convert; ``RecipeConverter`` with the recipe's options where it is not given.
    public init(_ recipe: Recipe, convert: Conversion? = nil) {
        self.recipe = recipe.name
        (steps, expectedRate) =
            switch recipe.options(recipe.usualSteps).neuron {
            case .radix: (Array(2...8), 0.18)
            case .latency(_, let most): most == 1 ? ([12, 16, 24, 32], 0.02) : ([8, 10, 12, 16], 0.07)
            case .burst: ([2, 4, 8, 16], 0.5)
            case .signed: ([4, 8, 16, 32], 0.13)
            case .integrateAndFire: ([8, 16, 32, 64], 0.13)
            }
        self.convert = convert ?? { ann, steps, data in try RecipeConverter(recipe.options(steps), calibration: data)(ann) }
    }

    /// Without the numbers of steps that a recipe's options do not have.
    ///
    /// - Throws: ``SpikeletError`` where none is left.
    package func keeping(_ fits: (Int) -> Bool) throws -> RecipeLadder {
        try RecipeLadder(recipe: recipe, steps: steps.filter(fits), expectedRate: expectedRate, convert: convert)
    }

    /// What a search tries where the user names no recipe.
    public static var usual: [RecipeLadder] { [.init(.radix), .init(.signed), .init(.calibrated), .init(.burst)] }
}
