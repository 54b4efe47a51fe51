import Foundation

extension Graph: CustomStringConvertible {
    /// A table of every layer and what it reads: name, operator, inputs, shape of the output, parameters.
    public var description: String {
        var rows = [["name", "operator", "inputs", "output", "parameters", "attributes"]]
        for input in inputs { rows.append([input.name, "Input", "", input.type.shape.description, "", ""]) }
        for node in nodes {
            let parameters = node.inputs.compactMap { constants[$0]?.count }.reduce(0, +)
            rows.append([
                node.name, node.operator.name,
                node.inputs.filter { constants[$0] == nil }.joined(separator: ", "),
                node.outputs.compactMap { types[$0]?.shape.description }.joined(separator: " "),
                parameters > 0 ? "\(parameters)" : "",
                node.operator.payload.summary,
            ])
        }
        for output in outputs { rows.append([output.name, "Output", output.value, types[output.value]?.shape.description ?? "", "", ""]) }
        let kind = spiking.map { "spiking network (\($0.recipe), \($0.schedule.rawValue))" } ?? "network"
        return "\(kind) '\(name)'".visible + ": \(nodes.count) nodes, \(parameterCount) parameters\n"
            + TextTable.format(rows, rightAligned: [4], names: [0, 2])
    }
}

/// Plain text tables for terminals.
package enum TextTable {
    /// Columns as wide as their widest cell, two spaces apart, a rule under the header row. Where a line would pass `width`
    /// columns, the widest column of text gives way, ending in `…`. What would break a line or control a terminal is written out.
    ///
    /// - Parameter names: columns of names, such as `layer4.0.conv1`. They give way last, and at the front, since the end of a name is
    ///   what tells it from others.
    package static func format(_ rows: [[String]], rightAligned: Set<Int> = [], names: Set<Int> = [], width: Int = 100) -> String {
        let rows = rows.map { $0.map(\.visible) }
        guard let header = rows.first else { return "" }
        var widths = header.indices.map { column in rows.map { column < $0.count ? $0[column].columns : 0 }.max() ?? 0 }
        let others = widths.indices.filter { !names.contains($0) }
        for columns in [others, Array(widths.indices)] {
            let least = columns.count < widths.count ? 10 : 8
            while widths.reduce(0, +) + 2 * (widths.count - 1) > width, let widest = columns.max(by: { widths[$0] < widths[$1] }),
                widths[widest] > least
            {
                widths[widest] -= 1
            }
        }
        func line(_ row: [String]) -> String {
            var text = zip(row.indices, row).map { column, cell in
                let fitted = fitted(cell, columns: widths[column], keepsEnd: names.contains(column))
                let padding = String(repeating: " ", count: widths[column] - fitted.columns)
                return rightAligned.contains(column) ? padding + fitted : fitted + padding
            }.joined(separator: "  ")
            while text.last == " " { text.removeLast() }
            return text
        }
        let rule = widths.map { String(repeating: "─", count: $0) }.joined(separator: "  ")
        return ([line(header), rule] + rows.dropFirst().map(line)).joined(separator: "\n") + "\n"
    }

    /// As much of a cell as there is room for, with `…` for the rest.
    private static func fitted(_ cell: String, columns: Int, keepsEnd: Bool) -> String {
        guard cell.columns > columns else { return cell }
        var room = columns - 1
        let kept = (keepsEnd ? Array(cell.reversed()) : Array(cell)).prefix { character in
            room -= character.columns
            return room >= 0
        }
        return keepsEnd ? "…" + String(kept.reversed()) : String(kept) + "…"
    }
}

extension TextTable {
    /// A large count: 4.56 M.
    package static func magnitude(_ number: Double) -> String {
        number == 0
            ? "0"
            : number >= 1e9
                ? String(format: "%.2f G", number / 1e9)
                : number >= 1e6 ? String(format: "%.2f M", number / 1e6) : String(format: "%.1f k", number / 1e3)
    }
}
