import KubeModel
import Testing

/// The Common Expression Language: what expressions give, what they are told at compile time, and what they may cost.
struct CELTests {
    /// What an expression gives, as text; errors start with `error:`, compile errors with `ERROR:`.
    static func run(_ source: String, _ values: [String: JSON] = [:], limit: Int = 1_000_000) -> String {
        do throws(CELCompileError) {
            let variables = values.keys.sorted().map { CELProgram.Variable($0, .dyn) }
            let program = try CELProgram("string(\(source))", variables: variables)
            return show(program, values, limit)
        } catch {
            // Not everything has a string form: show it by its type.
            do throws(CELCompileError) {
                let variables = values.keys.sorted().map { CELProgram.Variable($0, .dyn) }
                return show(try CELProgram("'%s'.format([\(source)])", variables: variables), values, limit)
            } catch { return error.description }
        }
    }

    private static func show(_ program: CELProgram, _ values: [String: JSON], _ limit: Int) -> String {
        switch program.evaluate(values.mapValues(CELValue.untyped), limit: limit).result {
        case .success(.string(let text)): text
        case .success(let other): "\(other)"
        case .failure(let error): "error: \(error)"
        }
    }

    @Test(arguments: [
        ("1 + 2 * 3", "7"), ("(1 + 2) * 3", "9"), ("7 / 2", "3"), ("-7 / 2", "-3"), ("-7 % 3", "-1"), ("7.0 / 2.0", "3.5"), ("5u - 3u", "2"),
        ("0x1F", "31"), ("1e3", "1000"), ("1234567.0", "1.234567e+06"), (".5 + .25", "0.75"), ("-9223372036854775808", "-9223372036854775808"),
        ("9223372036854775807 + 1", "error: integer overflow"), ("0u - 1u", "error: unsigned integer overflow"),
        ("-(-9223372036854775808)", "error: integer overflow"), ("-9223372036854775808 / -1", "error: integer overflow"),
        ("1 / 0", "error: division by zero"), ("1 % 0", "error: modulus by zero"), ("1.0 / 0.0", "+Inf"),
        ("int('42') + int(2.9) + int(3u)", "47"), ("int(9.3e18)", "error: integer overflow"), ("uint(-1)", "error: unsigned integer overflow"),
        ("double('2.5')", "2.5"), ("bool('true')", "true"), ("string(b'abc')", "abc"), ("'a' + 'b'", "ab"), ("[1] + [2, 3]", "[1, 2, 3]"),
        ("true ? 1 : 2", "1"), ("1 == 1 && 'a' != 'b'", "true"), ("'\\u00e9\\x41\\101\\n'", "éAA\n"), ("r'a\\nb'", "a\\nb"),
        ("'''a\n'b' '''", "a\n'b' "), ("size('héllo')", "5"), ("size(b'h\\xc3')", "2"), ("1 in [1, 2]", "true"), ("'a' in {'a': 1}", "true"),
        ("{'a': 1, 'b': [2]}['b'][0]", "2"), ("{'a': 1}.b", "error: no such key: b"), ("[1][3]", "error: index out of bounds: 3"),
        ("has({'a': 1}.a) && !has({'a': 1}.b)", "true"), ("!!true", "true"), ("type(1) == int && type([]) == list", "true"),
        ("dyn(1) == dyn(1.0) && dyn(1u) == dyn(1)", "true"), ("dyn(1) == dyn('1')", "false"), ("1 < 1.5 && 2u > 1 && 3.0 >= 3", "true"),
        ("9007199254740993 > 9007199254740992.0", "true"), ("'a' < 'b' && b'a' < b'b' && false < true", "true"),
        ("{1: 'a'}[dyn(1u)]", "a"), ("null == null", "true"), ("[1, 2] == [1, 2] && {'a': [1]} == {'a': [1]}", "true"),
    ])
    func givesWhatTheLanguageSays(_ source: String, _ expected: String) { #expect(Self.run(source) == expected, "\(source)") }

    @Test(arguments: [
        // The rule of dyn(1) in [] and of missing keys: an operand that decides makes up for an error on either side.
        ("true || {}.a == 1", "true"), ("{}.a == 1 || true", "true"), ("false && {}.a == 1", "false"), ("{}.a == 1 && false", "false"),
        ("{}.a == 1 || false", "error: no such key: a"), ("dyn('x') && true", "error: no such overload"),
        ("[1, 2, 3].all(x, x > 0)", "true"), ("[1, 0].all(x, 1 / x > 0)", "error: division by zero"), ("[0, 2].all(x, 4 / x > 3)", "false"),
        ("[0, 1].exists(x, 1 / x == 1)", "true"), ("[1, 2, 2].exists_one(x, x == 1)", "true"), ("[1, 2].map(x, x * 2)", "[2, 4]"),
        ("[1, 2, 3].map(x, x > 1, x * 2)", "[4, 6]"), ("[1, 2, 3].filter(x, x % 2 == 1)", "[1, 3]"), ("{'a': 1, 'b': 2}.all(k, k != 'c')", "true"),
        ("{'a': 1, 'b': 2}.filter(k, k == 'b')", "[b]"), ("[5, 6].all(i, v, v == i + 5)", "true"), ("{'a': 1}.exists(k, v, k == 'a' && v == 1)", "true"),
        ("[1, 2].transformList(i, v, i * v)", "[0, 2]"), ("{'a': 1}.transformMap(k, v, v + 1)", "{a: 2}"),
        ("{'a': 'x'}.transformMapEntry(k, v, {v: k})", "{x: a}"), ("[1, 2].existsOne(i, v, v == 2)", "true"),
        ("cel.bind(x, 2, cel.bind(y, x + 1, x * y))", "6"), ("[[1, 2], [3]].map(l, l.filter(x, x > 1))", "[[2], [3]]"),
        ("[1, 2].exists(x, [2, 3].exists(y, x == y))", "true"),
        ("{'a': 1}.?a.orValue(5) + {'a': 1}.?b.orValue(5)", "6"), ("[1][?3].hasValue()", "false"), ("optional.of(1).optMap(x, x + 1).value()", "2"),
        ("optional.none().or(optional.of('x')).value()", "x"), ("optional.ofNonZeroValue('').hasValue()", "false"),
        ("[?optional.none(), ?optional.of(1), 2]", "[1, 2]"), ("{?'a': optional.none(), 'b': 1}", "{b: 1}"),
        ("optional.of({'a': {'b': 3}}).a.b.value()", "3"), ("optional.none().value()", "error: optional.none() dereference"),
        ("optional.of(2).optFlatMap(x, optional.of(x * 2)).value()", "4"),
    ])
    func macrosAndOptionals(_ source: String, _ expected: String) { #expect(Self.run(source) == expected, "\(source)") }

    @Test(arguments: [
        ("'tacocat'.charAt(3)", "o"), ("'hello mellow'.indexOf('ello')", "1"), ("'hello mellow'.indexOf('ello', 2)", "7"),
        ("'hello mellow'.lastIndexOf('ello')", "7"), ("'hello mellow'.lastIndexOf('ello', 6)", "1"), ("['x', 'y'].join('-')", "x-y"),
        ("'TacoCät'.lowerAscii()", "tacocät"), ("'tacocät'.upperAscii()", "TACOCäT"), ("'hello hello'.replace('he', 'we')", "wello wello"),
        ("'hello hello'.replace('he', 'we', 1)", "wello hello"), ("'ab'.replace('', '.')", ".a.b."), ("'a,b,c'.split(',')", "[a, b, c]"),
        ("'a,b,c'.split(',', 2)", "[a, b,c]"), ("'abc'.split('')", "[a, b, c]"), ("'a'.split(',', 0)", "[]"), ("'tacocat'.substring(4)", "cat"),
        ("'tacocat'.substring(0, 4)", "taco"), ("'abc'.substring(4)", "error: index out of range: 4"), ("'  x '.trim()", "x"),
        ("'abc'.contains('bc') && 'abc'.startsWith('a') && 'abc'.endsWith('c')", "true"), ("'abc'.matches('^a.c$')", "true"),
        ("'%s %d %.2f %x %b %%'.format(['a', 3, 1.5, 255, 5])", "a 3 1.50 ff 101 %"), ("'%s'.format([{'b': 1, 'a': [true, null]}])", "{a: [true, null], b: 1}"),
        ("'%d'.format(['x'])", "error: error during formatting: decimal clause can only be used on integers, was given string"),
        ("'abc 123 45'.find('[0-9]+')", "123"), ("'abc 123 45'.findAll('[0-9]+')", "[123, 45]"), ("'1 2 3'.findAll('[0-9]', 2)", "[1, 2]"),
        ("[1, 3, 2].max() + [1, 3, 2].min() + [1, 2].sum()", "7"), ("[1, 2, 3].isSorted()", "true"), ("['a', 'b', 'a'].lastIndexOf('a')", "2"),
        ("[3, 1, 2].sort()", "[1, 2, 3]"), ("[1, 1, 2].distinct()", "[1, 2]"), ("[[1], [2, 3]].flatten()", "[1, 2, 3]"), ("lists.range(3)", "[0, 1, 2]"),
        ("[1, 2, 3].slice(1, 3)", "[2, 3]"), ("[].sum()", "0"), ("sets.contains([1, 2], [2])", "true"), ("sets.equivalent([1, 2, 2], [2, 1])", "true"),
        ("sets.intersects([1], [2])", "false"), ("quantity('1.5Gi').isGreaterThan(quantity('1Gi'))", "true"), ("isQuantity('1x')", "false"),
        ("quantity('2k').asInteger()", "2000"), ("quantity('500m').add(quantity('1')).compareTo(quantity('1500m'))", "0"),
        ("url('https://user@example.com:80/a b?x=1&x=2&y=%41').getHostname()", "example.com"),
        ("url('https://example.com:80/p?x=1&x=2&y=%41').getQuery()", "{x: [1, 2], y: [A]}"), ("isURL('example.com')", "false"),
        ("url('https://[::1]:80/').getPort()", "80"), ("ip('::ffff').family()", "6"), ("isIP('1.2.3.4')", "true"), ("isIP('1.2.3.04')", "false"),
        ("string(ip('2001:db8:0:0:1:0:0:1'))", "2001:db8::1:0:0:1"), ("ip.isCanonical('2001:DB8::1')", "false"), ("ip('127.0.0.1').isLoopback()", "true"),
        ("cidr('192.168.0.0/16').containsIP('192.168.3.4')", "true"), ("cidr('192.168.1.7/24').masked()", "192.168.1.0/24"),
        ("cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16')", "true"), ("cidr('10.0.0.0/8').prefixLength()", "8"), ("isCIDR('10.0.0.0/33')", "false"),
        ("format.dns1123Label().validate('a-b').hasValue()", "false"), ("format.named('nope').hasValue()", "false"),
        ("timestamp('2024-02-29T12:30:45.5Z').getDayOfYear()", "59"), ("timestamp('2024-02-29T23:30:00Z').getDate('+01:00')", "1"),
        ("timestamp('2024-03-01T00:00:00Z') - timestamp('2024-02-29T00:00:00Z')", "86400s"), ("duration('1h30m').getMinutes()", "90"),
        ("timestamp('9999-12-31T23:59:59Z') + duration('1s')", "error: timestamp overflow"), ("duration('1.5s') + duration('500ms')", "2s"),
        ("timestamp('2024-01-01T00:00:00Z').getDayOfWeek()", "1"), ("string(timestamp('2024-01-01T00:00:00.250Z'))", "2024-01-01T00:00:00.25Z"),
    ])
    func libraries(_ source: String, _ expected: String) { #expect(Self.run(source) == expected, "\(source)") }

    @Test(arguments: [
        ("x", "undeclared reference to 'x' (in container '')"), ("1 + 'a'", "found no matching overload for '_+_' applied to '(int, string)'"),
        ("1 == 'a'", "found no matching overload for '_==_' applied to '(int, string)'"), ("f(1)", "undeclared reference to 'f' (in container '')"),
        ("'a'.size(1)", "found no matching overload for 'size' applied to 'string.(int)'"), ("1.exists(x, true)", "cannot be range of a comprehension"),
        ("[1].all(x, x)", "expected type 'bool' but found 'int'"), ("has(1)", "invalid argument to has() macro"), ("1 +", "Syntax error"),
        ("for", "reserved identifier: for"), ("'a", "Syntax error"), ("'a'.matches('(')", "error parsing regexp"), ("1 & 2", "token recognition error at: '&'"),
        ("[1].map(1, 2)", "argument must be a simple name"), ("9223372036854775808", "invalid int literal"), ("true && 1", "'(int, bool)'"),
    ])
    func compileErrorsSayWhatIsWrong(_ source: String, _ part: String) {
        #expect { _ = try CELProgram(source, variables: []) } throws: { ("\($0)").contains(part) }
    }

    @Test func aCompileErrorPointsAtItsPlace() throws {
        let error = #expect(throws: CELCompileError.self) { _ = try CELProgram("1 +\n  foo", variables: []) }
        #expect(error?.description == "ERROR: <input>:2:3: undeclared reference to 'foo' (in container '')\n |   foo\n | ..^")
    }

    @Test(arguments: [
        String(repeating: "(", count: 100_000), String(repeating: "[", count: 5000), String(repeating: "!", count: 90_000) + "true",
        String(repeating: "a.", count: 40_000) + "a", String(repeating: "1+", count: 40_000) + "1", String(repeating: "x?", count: 5000),
        String(repeating: "{1:", count: 30_000), String(repeating: "-", count: 99_999), "a" + String(repeating: "[0]", count: 30_000),
    ])
    func deepExpressionsAreRefusedOrRun(_ source: String) {
        expectFast(.seconds(20), String(source.prefix(10))) { _ = try? CELProgram(source, variables: []) }
    }

    @Test func longConditionsAreNotDeep() throws {
        let program = try CELProgram(Array(repeating: "true", count: 10_000).joined(separator: " && "), variables: [])
        guard case .success(.bool(true)) = program.evaluate([:], limit: 1_000_000).result else { return #expect(Bool(false)) }
    }

    @Test(arguments: [
        "l.all(a, l.all(b, l.all(c, l.all(d, a + b + c + d < 0 || true))))", "l.map(a, l.map(b, l.map(c, l.map(d, 'x'))))",
        "cel.bind(a, t + t, cel.bind(b, a + a, cel.bind(c, b + b, cel.bind(d, c + c, d + d + d + d + d + d + d + d).size() > 0)))",
        "l.map(a, t).join(t).replace('x', t).replace('x', t).size() > 0", "l.all(a, t.matches('(x+x+)+y') || true)",
        "l.all(a, t.matches('((x{1,100}){1,10}y|z)') || true)", "t.findAll('x?').size() < 0 || l.all(i, t.findAll('x').size() < 0 || true)",
        "l.map(x, l).flatten().map(x, l).flatten().distinct().size() > 0", "lists.range(1000000000).size() > 0",
        "l.all(x, l.all(y, '%.1000f'.format([1.0]).size() < 0 || true))",
    ])
    func hostileExpressionsEndByTheirCost(_ source: String) throws {
        let program = try CELProgram(source, variables: [.init("l", .list(.int)), .init("t", .string)])
        let list = JSON.array((0..<400).map { JSON($0) })
        let values: [String: CELValue] = ["l": .untyped(list), "t": .string(String(repeating: "x", count: 20_000))]
        expectFast(.seconds(30), source) {
            let (result, cost) = program.evaluate(values, limit: 1_000_000)
            guard case .failure(let error) = result else { return #expect(Bool(false), "\(source) ended with cost \(cost)") }
            #expect(error.message == "operation cancelled: actual cost limit exceeded", "\(source)")
        }
    }

    @Test func randomBytesNeverCrash() {
        var generator = SeededGenerator()
        let pieces = ["(", ")", "[", "]", "{", "}", ".", ",", "?", ":", "a", "1", "'x'", "&&", "||", "!", "-", "in", "has(", "x.all(y,", "\"", "\\", "0x", "1e", "b'", "\u{0}", "é"]
        for _ in 0..<3000 {
            let source = (0..<Int.random(in: 1..<12, using: &generator)).compactMap { _ in pieces.randomElement(using: &generator) }.joined()
            let program = try? CELProgram(source, variables: [.init("a", .dyn), .init("x", .dyn)])
            _ = program?.evaluate(["a": .untyped(["b": 1]), "x": .untyped([1, "two"])], limit: 10_000)
        }
    }
}
