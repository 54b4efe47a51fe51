import SpikeFormats
import SpikeGraph
import Testing

@Suite struct JSONParserTests {
    private func parse(_ text: String) throws -> JSONValue { try JSONParser.parse(Array(text.utf8)) }

    @Test func `every kind of value is read, numbers as they are written`() throws {
        let value = try parse(" { \"a\" : [ null , true,false, -0, 1.50e+3 ] , \"\" : {} , \"s\":\"x\" }\n\t\r ")
        #expect(
            value
                == .object([
                    "a": .array([.null, .bool(true), .bool(false), .number("-0"), .number("1.50e+3")]), "": .object([:]), "s": .string("x"),
                ]))
        #expect(value.text == #"{"":{},"a":[null,true,false,-0,1.50e+3],"s":"x"}"#)
    }

    @Test(arguments: [
        (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{08}\u{0C}\n\r\t"), (#""\u0041\u00e9\u20AC""#, "Aé€"), (#""\uD83E\uDDE0""#, "🧠"),
        ("\"🧠 é\"", "🧠 é"), (#""\u0000""#, "\u{0}"),
    ])
    func `strings are unescaped, and escaped again`(text: String, content: String) throws {
        #expect(try parse(text) == .string(content))
        #expect(try parse(JSONValue.string(content).text) == .string(content))
    }

    @Test(arguments: [
        "", " ", "nul", "truee", "True", "+1", "01", "-", "1.", ".5", "1e", "1e+", "0x1", "NaN", "Infinity", "[", "[1", "[1,", "[1,]",
        "[,]",
        "[1 2]", "{", "{}}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{'a':1}", "{\"a\" 1}", "\"", "\"a", "\"\\", "\"\\\"", "\"\\x\"",
        "\"\\u12\"", "\"\\u12g4\"", "\"\\u+123\"", "\"\\uD83E\"", "\"\\uD83Ex\"", "\"\\uD83E\\n\"", "\"\\uD83E\\u0041\"", "\"\\uDDE0\"",
        "\"a\nb\"", "\"\u{0}\"", "1 2", "[]//", "\u{FEFF}[]", "{\"a\":1,\"a\":1}", "{\"é\":1,\"e\u{301}\":1}",
    ])
    func `what is not JSON is refused`(text: String) throws {
        let error = try #require(throws: SpikeletError.self) { try parse(text) }
        #expect(error.code == .malformedFile)
        #expect(error.location?.hasPrefix("byte ") == true)
    }

    @Test(arguments: [
        [0x22, 0xFF, 0x22], [0x22, 0xC3, 0x22], [0x22, 0xC0, 0x80, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22], [0x00], [0x5B, 0x00],
    ])
    func `bytes that are not UTF-8 are refused`(bytes: [UInt8]) {
        #expect(throws: SpikeletError.self) { try JSONParser.parse(bytes) }
    }

    @Test func `errors count bytes from where the document stands in its file`() throws {
        let error = try #require(throws: SpikeletError.self) { try JSONParser.parse(Array("[1,x]".utf8), origin: 8) }
        #expect(error.location == "byte 11")
    }

    @Test func `whole numbers are told from others`() throws {
        #expect(try parse("-9223372036854775808").integer == .min)
        for text in ["9223372036854775808", "1.0", "1e3", "\"1\"", "true"] { #expect(try parse(text).integer == nil) }
    }

    @Test func `keys are written in the order of their bytes`() {
        let value = JSONValue.object(["b": .null, "a10": .null, "a9": .null, "B": .null, "é": .null])
        #expect(value.text == #"{"B":null,"a10":null,"a9":null,"b":null,"é":null}"#)
    }
}
