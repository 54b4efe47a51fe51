public import SpikeConversion
public import SpikeGraph

/// A recipe as a search goes through it: numbers of steps from the least up, and how to convert for one of them.
public struct RecipeLadder: Sendable {
    /// Converts an ANN for a number of steps, with thresholds from the data.
    public typealias Conversion = @Sendable (_ ann: Graph, _ steps: Int, _ data: any BatchSource) throws -> Graph

    /// The same for a number of digits in the mean over all layers.
    public typealias MixedConversion = @Sendable (_ ann: Graph, _ meanSteps: Double, _ data: any BatchSource) throws -> Graph

    /// The recipe's name.
    public let recipe: String
    /// The numbers of time steps T (K for radix codes) to try, ascending.
    public let steps: [Int]
    /// Spikes of a neuron in a step, roughly: orders the first tries, until a network of this ladder has been measured.
    public let expectedRate: Double
    /// Makes the network of a rung.
    public let convert: Conversion
    /// Converts with so many digits in the mean over all layers; `nil` where all layers have the same steps.
    public private(set) var convertMixed: MixedConversion?
    /// Whether a neuron sends as many spikes in few steps as in many.
    private var hasConstantSpikes = false

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
    /// - Parameters:
    ///   - convert: how to convert; ``RecipeConverter`` with the recipe's options where it is not given.
    ///   - convertMixed: how to convert radix codes with digits by layer; the same where neither is given, not at all where `convert` alone is.
    public init(_ recipe: Recipe, convert: Conversion? = nil, convertMixed: MixedConversion? = nil) {
        self.recipe = recipe.name
        let usual = recipe.options(recipe.usualSteps)
        hasConstantSpikes = usual.code.kind == .latency
        if usual.neuron == .radix {
            self.convertMixed = convertMixed
            if convert == nil, convertMixed == nil {
                self.convertMixed = { ann, steps, data in
                    try RecipeConverter(usual.mixed(meanSteps: steps), calibration: data)(ann)
                }
            }
        }
        (steps, expectedRate) =
            switch usual.neuron {
            case .radix: (Array(2...8), 0.18)
            case .latency(_, let most): most == 1 ? ([12, 16, 24, 32], 0.04) : ([8, 10, 12, 16], 0.1)
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
        var ladder = try RecipeLadder(recipe: recipe, steps: steps.filter(fits), expectedRate: expectedRate, convert: convert)
        (ladder.convertMixed, ladder.hasConstantSpikes) = (convertMixed, hasConstantSpikes)
        return ladder
    }

    /// What a search tries where the user names no recipe.
    public static var usual: [RecipeLadder] { usual(.balance) }

    /// What a search tries where the user names no recipe: latency codes, which take many steps, where spikes count alone.
    public static func usual(_ preference: RecipeSearch.Preference) -> [RecipeLadder] { recipes(preference).map { .init($0) } }

    /// The recipes of ``usual(_:)``.
    package static func recipes(_ preference: RecipeSearch.Preference) -> [Recipe] {
        [.radix, .signed, .calibrated, .burst] + (preference == .spikes ? [.latency, .twoSpike] : [])
    }

    /// Spikes of a neuron for one sample, roughly.
    func expectedSpikes(_ steps: Int) -> Double { expectedRate * Double(hasConstantSpikes ? self.steps[0] : steps) }
}
