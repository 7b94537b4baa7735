"""The templates of make_template_goldens.py: expressions and blocks by construct, families,
and the conversations that the families render."""

VARIABLES = {
    "s": "Hello World", "empty": "", "spaces": "  a b  ", "lines": "one\ntwo\n\nthree", "zh": "你好，世界🎉é",
    "quote": "it's \"x\"\\\n\t", "n": 7, "zero": 0, "f": 2.5, "big": 10000000000, "t": True, "no": False,
    "nothing": None, "l": [3, 1, 2], "words": ["b", "A", "c", "a"], "d": {"b": 1, "a": [1, {"x": None}], "C": "z"},
    "users": [{"name": "Ann", "age": 30, "tags": ["x", "y"]}, {"name": "bob", "age": 25, "tags": []},
              {"name": "Cy", "age": 30, "ok": True}],
    "tool": {"type": "function", "function": {"name": "get_weather", "description": "Wetter für <b>",
             "parameters": {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer", "default": 3}},
                            "required": ["city"]}}},
    "floats": [0.1, 1e16, 1e-5, 123456789.125, 1e22, 0.0001, -0.0, 3.0], "messages": [
        {"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello<think>x</think>ok"}, {"role": "user", "content": [{"type": "text", "text": "pic"}, {"type": "image"}]}],
}

EXPRESSIONS = """
s
nothing
t
no
n
f
missing
missing.x
missing['x']
missing()
missing + 'a'
'a' + missing
missing ~ 'a'
missing == missing
missing == none
missing is defined
missing is undefined
d.missing is defined
d.missing.deeper is defined
d.missing
d['missing']
nothing.x
nothing.x.y
nothing['x']
n.x
s.nosuch
s.nosuch()
-missing
not missing
missing and 1
missing or 'x'
missing in l
missing in s
'a' in missing
1 in none
1 + 2
1 + 2.5
7 - 10
3 * 4
7 / 2
8 / 2
7 // 2
-7 // 2
7 // -2
-4 // 2
0 // -2
-7 % 3
7 % -3
7.5 // 2
-7.5 // 2
-7.5 % 2
7.5 % -2
2 ** 10
2 ** -1
2 ** 3 ** 2
-2 ** 2
2.0 ** 0.5
1 / 0
1 // 0
1 % 0
1.0 / 0
1.0 % 0
true + true
true * 3
-true
+n
+true
-f
- -n
1 + 'a'
'a' + 1
'a' + none
[1] + (2,)
[1] + [2, 3]
(1,) + (2,)
'ab' * 3
3 * 'ab'
'ab' * 0
'ab' * -1
[1, 2] * 2
(1,) * 2
'a' * 1.5
'a' - 'b'
'a' / 2
1 ~ 2
1 ~ 'a' ~ none ~ true ~ 1.5
'a' ~ 1 + 2
'x' ~ 2 * 3
1 + 2 * 3 - 4 / 2
(1 + 2) * 3
1 == 1.0
1 == true
0 == false
'1' == 1
[1, 2] == [1, 2]
[1, 2] == (1, 2)
{'a': 1} == {'a': 1.0}
1 != 2
1 < 2 < 3
1 < 3 < 2
3 > 2 >= 2
'a' < 'b'
'a' < 1
[1, 2] < [1, 3]
[1] < (2,)
none < 1
none == none
none != 1
'ell' in s
'' in s
'x' not in s
1 in l
'1' in l
'a' in d
1 in d
[] in d
3 in (1, 2, 3)
none in [none]
not 1 in l
not (n > 3) or t
n > 3 and f < 3
0 or 'x'
1 and 'x'
'' and 'x'
'a' if t
'a' if no
('a' if no) is defined
'a' if no else 'b'
'a' if t else 'b' if no else 'c'
'x' if no else 'y' if no else 'z'
s[0]
s[-1]
s[100]
s[1:3]
s[::-1]
s[::2]
s[-3:]
s[:-3]
s[5:2]
[s[0:0], s[0:1], s[1:1], s[10:], s[11:], s[:11], s[:12], s[-11:], s[-12:], s[:-11], s[:-10]]
[s[::-2], s[3::-1], s[:3:-1], s[-1:0:-1], s[100::-5], s[:-100:-5], s[1:9:3]]
[l[0:2], l[0:3], l[0:4], l[-3:], l[-4:], l[:-3], l[2::-1], l[3::-1], l[::3]]
[s[10], s[-11], l[2], l[-3]]
[s[11] is defined, s[-12] is defined, l[3] is defined, l[-4] is defined, s[10] is defined, l[-3] is defined]
[range(5)[1:]|list, range(5)[4], range(5)[-5], range(5)[5] is defined]
s[8:2:-2]
s[100:]
s[-100:3]
s[:none]
s['0']
s[1.5]
s[::0]
zh[0]
zh[-2]
zh[2:5]
zh[::-1]
l[0]
l[-1]
l[3]
l[1:]
l[::-1]
l[:-1]
l[:1] + l[1:]
messages[1:][0].role
messages[:1]
range(10)[2:5]|list
range(3)|list
range(1, 4)|list
range(5, 0, -2)|list
range(0)|list
range(3)[-1]
range(1.5)
range('a')
range(1, 2, 0)
range(200000)
(1, 2, 3)[1:]
(1, 2)
(1,)
()
[]
{}
[1, 'a', none, true, 1.5, (1,), {'k': 'v'}]
{'a': 1, 'b': [1, 2], 3: none}
{'a': 1, 'a': 2}
{1: 'x', true: 'y'}
{[1]: 2}
{'a': 1,}
[1, 2,]
{'a': 1}.a
{'a': 1}['a']
{'items': 1}['items']
{'x': {'y': 2}}.x.y
d.b
d.a[1].x
d.a.0
d[nothing]
d[[1]]
d.items()
d.items()|list
d.keys()|list
d.keys()
d.values()
d.values()|list
d.get('b')
d.get('zz')
d.get('zz', 5)
d.get()
d.get([1])
d.copy()
d.update({'x': 1})
d.update is defined
d.pop('b')
d.clear()
l.append(1)
l.sort()
l.pop()
l.index(1)
l.index(99)
l.count(1)
l.copy()
l.nosuch
(1, 2, 1).count(1)
d.__class__
s.__class__
'a' 'b'
'a' "b" 'c'
'a\\nb'
'\\t|\\\\|\\x41|\\u4f60|\\U0001F389|\\101|\\q'
'\\n\\t\\r\\a\\b\\f\\v\\\\\\'\\"'|tojson
'\\x4'
'\\x4g'
'\\u4f6'
'\\U0001F38'
'\\U00110000'
"it's"
'say "x"'
'\\''
"\\""
1_000
1e3
1.5e-3
1.e3
0.5
007
12.
'é'
true
True
none
None
False
spaces.strip() ~ '|'
spaces.lstrip() ~ '|'
spaces.rstrip() ~ '|'
'xxaxx'.strip('x')
'xyax'.lstrip('yx')
'abcx'.rstrip('xc')
'\\u3000a\\u00a0\\x1f'.strip()
'\\x1ca\\x1b\\x1c'.strip()|length
'a\\x1cb\\x1dc\\x1ed\\x1fe\\x20f\\x1bg'.split()|length
'\\0|\\7|\\101|\\377|\\777|\\1011|\\8|\\18'
'\\ud7ff\\uf000\\U0010ffff\\xff'
[1, 2, 3]|batch(1)|list
[1, 2, 3, 4]|batch(2)|list
[1, 2, 3, 4]|batch(2, 'x')|list
[1, 2, 3]|batch(2, none)|list
'ab'.replace('', '-')
'é中'.replace('', '-')
'é中'.replace('', '-', 2)
''.replace('', '-')
'a'.strip(none)
'a'.strip(1)
lines.split('\\n')
lines.split()
'a b  c'.split(' ')
'a b  c'.split(' ', 1)
'a b  c d'.split(none, 1)
' a b  c d '.split(maxsplit=2)
'a,b,c'.split(',', maxsplit=1)
'a,b,c'.rsplit(',', 1)
' a b c '.rsplit(none, 1)
'a,b,c'.rsplit(',')
'a,b,c'.split(',')[-1]
''.split(',')
''.split()
'abc'.split('')
'<think>a</think>b'.split('</think>')[0].split('<think>')[-1]
lines.splitlines()
'a\\r\\nb\\rc\\n'.splitlines()
'a\\nb'.splitlines(true)
'a\\x0bb\\u2028c'.splitlines()
s.startswith('Hell')
s.startswith('x')
s.startswith(('x', 'H'))
s.startswith(['H'])
s.startswith(1)
s.endswith('ld')
s.endswith(('x', 'd'))
s.replace('l', 'L')
s.replace('l', 'L', 1)
s.replace('l', '')
s.replace('', '-')
'你好'.replace('', '-')
s.replace('l', '-', 0)
s.replace('l')
s.replace(1, 'a')
s.upper()
s.lower()
zh.upper()
'straße ñ'.upper()
'ÀÉ ΑΒ'.lower()
'hELLO wORLD'.title()
"they're bill's x1y".title()
'hELLO wORLD'.capitalize()
''.capitalize()
s.find('o')
s.find('zz')
zh.find('世')
s.rfind('o')
s.index('o')
s.index('zz')
s.count('l')
s.count('')
', '.join(['a', 'b'])
', '.join([1, 2])
''.join([])
'-'.join('abc')
'-'.join(d)
'-'.join(missing)
'{} and {}'.format(1, 'x')
'{1} {0}'.format(1, 2)
'{a}-{b}'.format(a=1, b='y')
'{{}} {}'.format(1)
'{:.2f}|{:5d}|{:<5}|{:>5}|{:05d}'.format(1.005, 42, 'a', 'b', 7)
'{}'.format()
'{'.format(1)
'}'.format(1)
'abc'.isdigit()
'123'.isdigit()
''.isdigit()
'abc'.isalpha()
'ab1'.isalnum()
' \\n'.isspace()
'ABC'.isupper()
'aBC'.islower()
'abc1'.islower()
'ABC1'.isupper()
'1'.isupper()
'1'.islower()
''.isupper()
''.islower()
'aB'.isupper()
''.isalpha()
'a1'.isalpha()
'a_'.isalpha()
'a '.isalnum()
'a_1'.isalnum()
''.isalnum()
'1a'.isdigit()
'0189'.isdecimal()
'1.5'.isdecimal()
'12½'.isnumeric()
'12a'.isnumeric()
''.isspace()
' a'.isspace()
'prefix-x'.removeprefix('x')
'x.txt'.removesuffix('x.')
'abc'.removeprefix('')
'abc'.removesuffix('')
'abc'.removeprefix('abc')|length
'abc'.removesuffix('abc')|length
'abcabc'.find('c')
'abcabc'.rfind('a')
'abcabc'.index('c')
'abcabc'.rindex('a')
'abc'.rindex('z')
'abc'.rfind('z')
'aaaa'.count('aa')
'ab'.count('c')
'a=b=c'.partition('')
'a=b=c'.rpartition('')
'=a'.partition('=')
'a='.rpartition('=')
'a b  c '.split(none, 0)
' a b  c '.rsplit(none, 0)
' a b  c '.rsplit(none, 2)
'a,b,c'.split(',', 0)
'a,b,c'.rsplit(',', 0)
'a,b,c'.split(',', 5)
'a,b,c'.rsplit(',', 5)
',a,'.split(',')
',a,'.rsplit(',', 1)
'aaa'.rsplit('aa', 1)
'a--b-c'.rsplit('--', 2)
'xyx'.strip('')
'xyx'.rstrip('x')
'a\\nb\\n\\n'.splitlines()
'a\\r\\n\\nb\\r'.splitlines(true)
'a\\x0cb\\x1cc\\x1dd\\x1ee\\x1ff\\x85g\\u2029h'.splitlines()
''.splitlines()
'abc'.replace('b', 'x', -1)
'aaa'.replace('a', 'b', 2)
'aaa'.replace('a', 'b', 4)
'ab'.replace('', '-', 1)
'ab'.replace('', '-', 3)
'ab'.replace('', '-', 4)
'ǆ'.title()
'ß'.upper() ~ 'ß'.lower() ~ 'ß'.title() ~ 'ß'.capitalize()
'a.b_c-d e'.title()
'prefix-x'.removeprefix('prefix-')
'x.txt'.removesuffix('.txt')
'a=b=c'.partition('=')
'a=b=c'.rpartition('=')
'abc'.partition('=')
'abc'.rpartition('=')
s.upper().lower()[0:2]
'%s is %d' % ('x', 5)
'%s' % 'x'
'%s' % l
'%d%%' % 50
'%5.1f|%-5s|%05d|%x|%+d' % (3.14159, 'ab', 42, 255, 3)
'%s %s' % ('a',)
'%s' % ('a', 'b')
'%d' % 'x'
'%r' % 'x'
'%.2s' % '你好吗'
'%s and %s'|format('a', 'b')
'%.2f'|format(2)
'%d|%i|%x|%X|%o' % (42, 42, 42, 42, 42)
'%d|%i|%x|%X|%o' % (-42, -42, -42, -42, -42)
'%d|%i|%x|%X|%o' % (0, 0, 0, 0, 0)
'%e|%E|%f|%F|%g|%G' % (1234.5, 1234.5, 1234.5, 1234.5, 1234.5, 1234.5)
'%e|%E|%f|%F|%g|%G' % (-0.00001, -0.00001, -0.00001, -0.00001, -0.00001, -0.00001)
'%.0f|%.0f|%.0e|%.0g|%.3g' % (0.5, 1.5, 12.5, 12.5, 12345678)
'%5d|%-5d|%05d|%-05d|%+5d|% 5d|%+05d|% 05d' % (3, 3, 3, 3, 3, 3, 3, 3)
'%5d|%-5d|%05d|%-05d|%+5d|% 5d|%+05d|% 05d' % (-3, -3, -3, -3, -3, -3, -3, -3)
'%5.1f|%-5.1f|%05.1f|%-05.1f|%+5.1f|% 5.1f' % (2.5, 2.5, 2.5, 2.5, 2.5, 2.5)
'%1d|%2d|%3d' % (12, 12, 12)
'%+ d|% +d|%0-4d|' % (5, 5, 5)
'%5s|%-5s|%2s|%.0s|%.1s|%.9s' % ('abc', 'abc', 'abc', 'abc', 'abc', 'abc')
'%5.2s|%-5.2s|' % ('abc', 'abc')
'%4r|%-4r|%.2r|' % ('a', 'a', 'abc')
'%d|%d|%i' % (2.9, -2.9, true)
'%d' % none
'%x' % 2.5
'%f|%e' % (1, true)
'%f' % 'x'
'%q' % 1
'%' % 1
'%5' % 1
'%s' % ()
'%s %s' % (1,)
'%s' % (1, 2)
'none' % ()
'none' % []
'none' % {}
'none' % 1
'%%|%5d|%%' % 1
'{:<5d}|{:>5d}|{:5d}|{:+d}|{:+5d}|{:05d}'.format(3, 3, 3, 3, 3, -3)
'{:x}|{:X}|{:o}|{:b}'.format(42, 42, 42, 42)
'{:x}|{:X}|{:o}|{:b}'.format(-42, -42, -42, -42)
'{:e}|{:E}|{:f}|{:F}|{:g}|{:G}'.format(1234.5, 1234.5, 1234.5, 1234.5, 1234.5, 1234.5)
'{:5}|{:<5}|{:>5}|{:.2}|{:5.2}|{:s}'.format('abc', 'abc', 'abc', 'abc', 'abc', 'abc')
'{0}{0}{1}'.format('a', 'b')
'{:}|{a:}'.format(1, a=2)
'{a}'.format(b=1)
'{2}'.format(1, 2)
'{:d}'.format('a')
'{:d}'.format(1.5)
'{:x}'.format(1.0)
'{:d}'.format(true)
'{:s}'.format(1)
'{:q}'.format(1)
spaces|trim
'xax'|trim('x')
'  x '|trim|length
nothing|trim
missing|trim
s|length
zh|length
d|length
l|count
n|length
nothing|length
missing|length
(1, 2)|length
d.items()|length
l|map('string')|length
s|upper
s|lower
n|upper
'hello (world) [x]-y don\\'t'|title
'{a} <bold>c &d /e'|title
'hELLO'|capitalize
s|replace('l', 'L')
s|replace('l', 'L', 2)
n|replace(7, 8)
words|join
words|join(', ')
l|join('-')
users|join(', ', attribute='name')
users|map(attribute='name')|join(' ')
missing|join(',')
n|join
'abc'|join('-')
missing|default('x')
nothing|default('x')
nothing|default('x', true)
''|default('x', boolean=true)
''|d('x')
missing|default
missing|d('a')|upper
d.zz|default('none given')
d.zz.y|default('x')
d|tojson
l|tojson
s|tojson
zh|tojson
quote|tojson
tool|tojson
tool|tojson(indent=2)
tool|tojson(indent=4)
d|tojson(indent=0)
[]|tojson(indent=2)
{}|tojson(indent=2)
[[], {}]|tojson(indent=2)
d|tojson(sort_keys=true)
zh|tojson(ensure_ascii=true)
d|tojson(separators=(',', ':'))
d|tojson(separators=[',', ':'])
d|tojson(indent=2, separators=(',', ': '))
d|tojson(indent='--')
'\\x00\\x1f\\x7f\\u2028/<>&\\''|tojson
nothing|tojson
'\\"|\\\\|\\n|\\r|\\t|\\b|\\f|\\v|\\x00|\\x1f|\\x20|~|\\x7f|\\x80|é'|tojson
'\\"|\\\\|\\n|\\r|\\t|\\b|\\f|\\v|\\x00|\\x1f|\\x20|~|\\x7f|\\x80|é'|tojson(ensure_ascii=true)
'\\u07ff|\\u0800|\\ud7ff|\\ue002|\\uffff|\\U00010000|\\U0010ffff'|tojson
'\\u07ff|\\u0800|\\ud7ff|\\ue002|\\uffff|\\U00010000|\\U0010ffff'|tojson(ensure_ascii=true)
[true, false, none, 0, -1, 0.5, '', [], {}]|tojson
[1, [2, [3]], {'a': {'b': []}}]|tojson(indent=1)
[1, 2]|tojson(indent=-1)
[1, 2]|tojson(indent=none)
{'b': 1, 'a': {'d': 2, 'c': 3}}|tojson(sort_keys=true, indent=2)
{'b': 1, 2: 3}|tojson(sort_keys=true)
[1, 2]|tojson(separators=(',',))
t|tojson
f|tojson
floats|tojson
floats
{1: 2, true: 3, none: 4, 1.5: 5}|tojson
{(1,): 2}|tojson
(1, 2)|tojson
missing|tojson
[missing]|tojson
range(2)|tojson
l|map('string')|tojson
tool.function.parameters.properties|tojson|upper
l|first
l|last
[]|first
[]|last
''|first
s|first
s|last
zh|last
d|first
missing|first
missing|last
n|first
l|map('string')|first
l|map('string')|last
s|list
d|list
missing|list
n|list
nothing|list
n|string
l|string
'5'|int
'5.7'|int
' 42 '|int
'x'|int
'x'|int(9)
'-3'|int
'+3'|int
'1_000'|int
5.9|int
-5.9|int
nothing|int
l|int
['0'|int, '-0'|int, ' 7 '|int, '7.9'|int, '-7.9'|int, '1e2'|int, '7x'|int, ''|int, ''|int(3), '+-3'|int]
[true|int, false|int, 0.99|int, -0.99|int, 1e15|int, nothing|int(4), []|int(5)]
'12'|int(base=10)
['1'|float, '-1.5'|float, ' 2 '|float, '1e-3'|float, '.5'|float, '5.'|float, ''|float, 'x'|float(1), true|float]
missing|int
t|int
'1.5'|float
'x'|float
'x'|float(2.5)
7|float
'inf'|float
'1e3'|float
missing|float
-5|abs
-5.5|abs
'x'|abs
true|abs
2.5|round
3.5|round
42.55|round(1)
2.675|round(2)
42.55|round(1, 'floor')
42.51|round(0, 'ceil')
7|round
2.5|round(method='x')
1234.5|round(-2)
[0.5|round, 1.5|round, -0.5|round, -1.5|round, 0.49|round, 2.5|round(0, 'common')]
[2.1|round(0, 'ceil'), 2.0|round(0, 'ceil'), -2.1|round(0, 'ceil'), 2.11|round(1, 'ceil')]
[2.9|round(0, 'floor'), 2.0|round(0, 'floor'), -2.1|round(0, 'floor'), 2.19|round(1, 'floor')]
[1|round(0, 'ceil'), 1|round(0, 'floor'), 7|round(2), 0.125|round(2), 0.375|round(2)]
d|items|list
missing|items|list
l|items|list
d|dictsort
d|dictsort(true)
d|dictsort(false, 'key', true)
{'a': 2, 'b': 1}|dictsort(by='value')
{'a': 2, 'b': 1}|dictsort(by='x')
l|dictsort
l|sort
words|sort
words|sort(case_sensitive=true)
words|sort(reverse=true)
users|sort(attribute='age')|map(attribute='name')|list
users|sort(attribute='age,name')|map(attribute='name')|list
users|sort(attribute='age', reverse=true)|map(attribute='name')|list
[1, 'a']|sort
[none, 1]|sort
l|reverse|list
s|reverse
d|reverse|list
n|reverse
['a', 'A', 'b', 'a']|unique|list
['a', 'A', 'b']|unique(true)|list
users|unique(attribute='age')|map(attribute='name')|list
[1, 1.0, true]|unique|list
users|map(attribute='name')|list
users|map(attribute='ok')|list
users|map(attribute='ok', default=false)|list
users|map(attribute='tags.0')|list
users|map(attribute='nosuch.deeper')|list
words|map('upper')|list
words|map('replace', 'a', 'x')|join
l|map('nosuch')|list
l|map|list
l|map('default', 3)|list
users|selectattr('ok')|map(attribute='name')|list
users|selectattr('age', 'equalto', 30)|map(attribute='name')|list
users|selectattr('age', '==', 30)|list|length
users|selectattr('ok', 'defined')|list|length
users|selectattr('age', 'gt', 26)|map(attribute='name')|join('|')
users|selectattr('name', 'in', ['Ann', 'Cy'])|list|length
users|rejectattr('age', 'equalto', 30)|map(attribute='name')|list
users|rejectattr('ok')|list|length
users|selectattr('tags')|list|length
users|selectattr('age', 'nosuch')|list
users|selectattr|list
l|select('odd')|list
l|select|list
[0, 1, '', 'a']|select|list
l|reject('odd')|list
l|select('gt', 1)|sum
[0, none, 2]|reject|list
l|select('divisibleby', 3)|list
missing|select('odd')|list
messages|selectattr('role', 'equalto', 'user')|first
(messages|selectattr('role', 'equalto', 'system')|list|first).content
messages|selectattr('role', 'eq', 'tool')|list|length > 0
l|sum
[]|sum
users|sum(attribute='age')
l|sum(start=10)
['a']|sum
l|min
l|max
[]|max
[['b', 'A', 'c']|max, ['b', 'A', 'c']|min, ['b', 'A', 'c']|min(true), ['b', 'C']|max(true)]
[[1, 1.0]|max, [1.0, 1]|max, [1, 1.0]|min, [1.0, 1]|min, users|min(attribute='age'), users|max(attribute='name')]
[[]|min is defined, []|max is defined, []|first is defined, []|last is defined, ''|last is defined]
[[3]|first, [3]|last, [3, 4]|first, [3, 4]|last, (3, 4)|last, range(3)|last, 'é中'|first, 'é中'|last]
words|max
words|min
users|max(attribute='age')
[1, 'a']|max
lines|indent
lines|indent(2)
lines|indent(2, true)
lines|indent(2, first=true, blank=true)
lines|indent('> ')
[''|indent, 'a'|indent, 'a\\n'|indent, '\\na'|indent, 'a\\nb'|indent(0), 'a\\nb'|indent(1)]
[''|indent(2, true), '\\na'|indent(2, true), 'a\\n\\nb'|indent(2, false, true), 'a\\n\\nb'|indent(2)]
n|indent
l|batch(2)|list
l|batch(2, 'x')|list
[[]|batch(2)|list, [1]|batch(2)|list, [1]|batch(2, 0)|list, [1, 2]|batch(2, 0)|list, [1, 2, 3]|batch(5, 0)|list]
'<a href="x">\\'&'|escape
'<'|e|e
'<b>'|safe
'<b>'|safe + '<'
'<' + '<'|e
'<'|e ~ '<'
users|groupby('age')|list
users|groupby('age')|map('first')|list
l|map('float')|sum
[[]|sum(start=5), [1.5]|sum, [true, true]|sum, users|sum('age'), users|sum(attribute='age', start=1)]
'&<>"\\'a'|e
'a<b'|e ~ '<' ~ ('<'|safe ~ '<') ~ (('<'|e) + '<') ~ ('<' + ('<'|safe))
['hello-world (a) [b] {c} <d> a_b a.b'|title, ''|title, ''|capitalize, ' a'|capitalize]
[[3, 1]|sort(true), ['b', 'A']|sort, ['b', 'A']|sort(case_sensitive=true), ['b', 'A']|sort(true, true)]
[{'b': 1, 'A': 2}|dictsort, {'b': 1, 'A': 2}|dictsort(true), {'b': 1, 'A': 2}|dictsort(by='value', reverse=true)]
[[1, 2, 1]|unique|list, ['a', 'A']|unique|list, ['a', 'A']|unique(case_sensitive=true)|list]
[missing|d('x'), none|d('x'), none|d('x', true), 0|d('x'), 0|d('x', true), ''|d('x', true), 'a'|d('x', true)]
[-5|abs, (-5)|abs, (-5.5)|abs, 0|abs, true|abs, (-0.0)|abs]
3|string + 'a'
n is odd
n is even
8 is even
'a' is odd
9 is divisibleby 3
9 is divisibleby(2)
[-1.5 and 1, -0.0 and 1, 0.0 and 1, 0.1 and 1, 1e-300 and 1]
[-1 and 1, 0 and 1, 1 and 1, '' and 1, '0' and 1, [] and 1, [0] and 1, () and 1, (0,) and 1]
[{} and 1, {0: 0} and 1, none and 1, false and 1, true and 1, (range(0) and 1)|list, range(1) and 1]
[not -1.5, not 0.0, not -0.0, not none, not '', not ' ', not range(0)]
[missing and 1, namespace() and 1, dict and 1]
'a' if -1.5 else 'b'
[0 is even, 1 is even, -1 is even, -2 is even, 0 is odd, 1 is odd, -1 is odd, -2 is odd]
[1.0 is odd, 2.0 is even, 1.5 is odd, 1.5 is even, true is odd]
[0 is divisibleby 3, -9 is divisibleby 3, 9 is divisibleby -3, 4.5 is divisibleby 1.5]
1 is divisibleby 0
[1 is integer, true is integer, 1.0 is integer, '1' is integer, none is integer]
[1 is float, true is float, 1.0 is float, '1' is float, none is float]
[1 is number, true is number, 1.0 is number, '1' is number, none is number]
[1 is boolean, true is boolean, false is boolean, none is boolean, '' is boolean]
[1 is true, true is true, false is true, none is true, 'a' is true]
[0 is false, true is false, false is false, none is false, '' is false]
['' is string, 1 is string, none is string, [] is string, '<'|e is string]
[{} is mapping, [] is mapping, '' is mapping, none is mapping, namespace() is mapping]
[[] is sequence, () is sequence, '' is sequence, {} is sequence, range(2) is sequence, 1 is sequence, none is sequence]
[[] is iterable, () is iterable, '' is iterable, {} is iterable, range(2) is iterable, 1 is iterable, none is iterable]
[none is none, 0 is none, false is none, '' is none, missing is none]
[none is defined, 0 is defined, missing is defined, none is undefined, missing is undefined]
['<'|e is escaped, '<'|safe is escaped, '<' is escaped, 1 is escaped]
['abc' is lower, 'aBc' is lower, '1' is lower, 'a1' is lower, '' is lower, 'é' is lower]
['ABC' is upper, 'AbC' is upper, '1' is upper, 'A1' is upper, '' is upper, 'É' is upper]
[1 == 1, 1 == 2, 1 != 1, 1 != 2, 1 is eq 1, 1 is eq 2, 1 is ne 1, 1 is ne 2, 1 is equalto 2]
[1 < 1, 1 < 2, 2 < 1, 1 is lt 1, 1 is lt 2, 2 is lt 1, 1 is lessthan 1, 1 is lessthan 2]
[1 <= 1, 1 <= 2, 2 <= 1, 1 is le 1, 1 is le 2, 2 is le 1]
[1 > 1, 1 > 2, 2 > 1, 1 is gt 1, 1 is gt 2, 2 is gt 1, 1 is greaterthan 1, 2 is greaterthan 1]
[1 >= 1, 1 >= 2, 2 >= 1, 1 is ge 1, 1 is ge 2, 2 is ge 1]
[[1, 2, 3]|select('<', 2)|list, [1, 2, 3]|select('<=', 2)|list, [1, 2, 3]|select('>', 2)|list]
[[1, 2, 3]|select('>=', 2)|list, [1, 2, 3]|select('==', 2)|list, [1, 2, 3]|select('!=', 2)|list]
['' < 'a', 'a' < 'ab', 'b' < 'ab', [] < [1], [1] < [1, 0], [2] < [1, 0], (1,) < (1, 2)]
[7 // 2, -7 // 2, 7 // -2, -7 // -2, 6 // 2, -6 // 2, 7 // -1, 0 // 5]
[7 % 2, -7 % 2, 7 % -2, -7 % -2, 6 % 2, -6 % 2, 7 % -1, 0 % 5]
[7.5 // 2, -7.5 // 2, 7.5 // -2, -7.5 // -2, 6.0 // 2, 1 // 0.1, 0.0 // 3]
[7.5 % 2, -7.5 % 2, 7.5 % -2, -7.5 % -2, 6.0 % 2, -6.0 % 2, 6.0 % -2, 1 % 0.1]
[2 ** 0, 2 ** 1, 2 ** 62, 0 ** 0, 0 ** 1, (-2) ** 3, (-2) ** 2, 2 ** -2, 2.5 ** 2, 4 ** 0.5]
0 ** -1
0.0 ** -1
[9223372036854775806 + 1, -9223372036854775807 - 1, 3037000499 * 3037000499]
['ab' * 1, 'ab' * 2, 'ab' * 5, [1] * 3, (1,) * 0, 2 * [1], true * 'x']
n is number
f is number
t is number
t is integer
n is integer
f is float
n is float
s is string
n is string
missing is string
d is mapping
l is mapping
l is sequence
s is sequence
d is sequence
n is sequence
missing is sequence
l is iterable
s is iterable
n is iterable
nothing is iterable
missing is iterable
nothing is none
missing is none
t is boolean
n is boolean
t is true
1 is true
no is false
0 is false
n is equalto 7
n is eq 7
n is ne 7
n is gt 5
n is lt 5
n is ge 7
n is le 7
n is greaterthan 7
n is lessthan 8
n is in [7, 8]
n is not in [7, 8]
'a' is in 'abc'
nothing is sameas none
t is sameas true
1 is sameas true
range is callable
s is callable
s.upper is callable
'abc' is lower
'ABC' is upper
'upper' is filter
'nosuch' is filter
'odd' is test
n is not odd
n is not defined
n is defined and n is odd
n is defined or zz is odd
s is string and s is not none
not n is odd
n is odd is even
n is odd == true
n|string is string
n + 1 is odd
-1|abs
-n|abs
2 * n|string
(2 * n)|string
s|upper|lower|title|length
'a' if s is string else 'b'
dict(a=1, b=2)
dict({'x': 1}, y=2)
dict([('a', 1), ('b', 2)])
dict(1)
dict()
namespace(a=1).a
namespace(a=1).b
namespace(a=1).b.c
namespace({'a': 2}).a
namespace(a=1)['a']
strftime_now('%d %b %Y')
strftime_now('%Y-%m-%d %H:%M:%S')
strftime_now('%-d|%A|%B|%j')
strftime_now()
raise_exception('no good')
raise_exception(s)
raise_exception('a' ~ 1)
raise_exception()
messages[0]['role'] == 'system'
messages[-1].content[0].type
messages[-1]['content'] is string
messages[2].content.split('</think>')[-1].lstrip('\\n')
(messages|length) % 2 == 0
messages|map(attribute='role')|list
messages[0].get('tool_calls') is none
messages[0].tool_calls is defined and messages[0].tool_calls
loop
loop.index
caller()
s(1)
n()
l()
1 2
1 +
+
(1
[1
{'a'
{'a': }
'abc
a b
1 if
1 ||| 2
1 | nosuchfilter
1 is nosuchtest
1 | 2
s.
s.1x
s[
s[1:2:3:4]
f(a=1, 2)
f(a=1 b=2)
$
a ? b
a = 1
a == 
not
{% x %}
)
]
[missing, 0, 'a']|map('default', 'x', boolean=true)|list
[missing, 0, 'a']|map('default', 'x')|list
['aa', 'ba']|map('replace', 'a', 'b', count=1)|list
['a\\nb']|map('indent', width=2, first=true)|list
[3.14159, 2.5]|map('round', precision=2)|list
[3.19, 2.51]|map('round', 1, method='floor')|list
[[1, 3, 2], [2, 4]]|map('sort', reverse=true)|list
['1', 'x']|map('int', default=7)|list
[1, 2, 3, 4]|select('divisibleby', num=2)|list
[1, 2, 3, 4]|reject('divisibleby', num=2)|list
users|selectattr('age', 'divisibleby', num=6)|map(attribute='name')|list
users|rejectattr('age', 'divisibleby', num=6)|map(attribute='name')|list
[{'a': none}, {'a': 0}, {}]|map(attribute='a', default='x')|list
[{'a': none}, {}]|map(attribute='a', default=none)|list
users|map(attribute='tags.1', default='-')|list
[[]|map('upper')|list, ''|map('upper')|list, 'ab'|map('upper')|list, {'a': 1}|map('upper')|list]
[missing|map('upper')|list, none|map('upper')|list, range(0)|map('string')|list]
['aAb'|select('upper')|list, range(5)|select('even')|list, range(0)|select|list, {'a': 1, 'b': 2}|reject('eq', 'a')|list]
users|groupby('ok', default='no')|map('first')|list
users|groupby('name')|map('last')|map('length')|list
['b', 'B', 'a']|groupby(0)|map('first')|list
['b', 'B', 'a']|groupby(0, case_sensitive=true)|map('first')|list
[]|groupby('x')|list
[[]|batch(1)|list, range(4)|batch(3)|list, range(4)|batch(3, fill_with='-')|list, range(4)|batch(linecount=2)|list]
[{'b': 1, 'a': 2}|dictsort(reverse=true), {'A': 1, 'a': 2}|dictsort, {'A': 1, 'a': 2}|dictsort(reverse=true)]
[{'B': 'x', 'a': 'Y', 'A': 'z'}|dictsort(by='value'), {'B': 'x', 'a': 'Y', 'A': 'z'}|dictsort(true, 'value')]
[{'B': 1, 'a': 2, 'A': 3}|dictsort(true, reverse=true), {}|dictsort]
missing|dictsort
[['b', 'B', 'a', 'A']|sort, ['b', 'B', 'a', 'A']|sort(reverse=true), ['b', 'B', 'a', 'A']|sort(true, true)]
users|sort(attribute='age,name', reverse=true)|map(attribute='name')|list
users|sort(true, true, 'name')|map(attribute='name')|list
users|sort(attribute='name', case_sensitive=true)|map(attribute='name')|list
users|sort(attribute='name')|map(attribute='name')|list
[[]|sort, ()|sort, 'cab'|sort, {'b': 1, 'a': 2}|sort, (2, 1)|sort, range(3)|sort(reverse=true)]
[[1, 2, 1.0, true]|unique|list, ['b', 'B', 'a']|unique(case_sensitive=false)|list, 'abca'|unique|list, []|unique|list]
users|unique(true, 'age')|map(attribute='name')|list
[['B', 'a']|min, ['B', 'a']|min(case_sensitive=true), ['B', 'a']|max, ['B', 'a']|max(case_sensitive=true)]
[users|max(attribute='age'), users|min(attribute='name'), 'bca'|max, {'b': 1, 'a': 2}|min, (2, 1)|min]
[users|sum(attribute='age', start=0.5), [[1], [2]]|sum(start=[]), ()|sum, range(4)|sum, [0.5, 1]|sum]
[[1, none, true, 1.5]|join('-'), []|join('-'), users|join(attribute='name'), 'ab'|join, {'a': 1, 'b': 2}|join(',')]
[[1, 2]|join(d='/'), [1, 2]|join(0), [1]|join('-'), [[1], [2]]|join, users|join('|', 'age'), [missing, 1]|join('-')]
[(1, 2)|reverse|list, ''|reverse, 'é中'|reverse, range(3)|reverse|list, {'a': 1, 'b': 2}|reverse|list]
[''|list, 'é中'|list, (1,)|list, range(2)|list, {}|list, {'a': 1}|items|list, {}|items|list]
['a'|length, ''|length, {}|length, range(0)|length, range(7)|count, ()|count, 'é中'|count]
['aba'|replace('a', 'x', 0), 'aba'|replace('a', 'x', 1), 'aba'|replace('', '.'), 121|replace(1, 3), 'a'|replace('a', none)]
['  a '|trim, 'xyaxy'|trim('xy'), 'aé'|trim('é'), '\\u3000a\\u00a0'|trim, 12|trim, ''|trim('x')]
['  -7  '|int, '--7'|int(3), '7-'|int(3), '_1'|int(4), '1_'|int(4), '1__0'|int(4), '1_0'|int, '0x1f'|int(2), '1e3'|int, '1.9e1'|int]
['+1.5'|float, '1_0.5'|float, '  '|float(3), none|float(2), []|float, '1__0'|float(5), '_1'|float(5), '-'|float(6), false|float]
['inf'|int(4), '-inf'|int(4), 'nan'|int(4), 'Infinity'|float, '-inf'|float, 'nan'|float]
[2.5|round(1, 'ceil'), 2.51|round(1, 'ceil'), 2.59|round(1, 'floor'), -2.5|round(0, 'ceil'), -2.5|round(0, 'floor'), 1e20|round]
[15|round(-1, 'ceil'), 15|round(-1, 'floor'), 15.0|round(-1), 25.0|round(-1), 5|round(2, 'ceil'), true|round]
['a\\nb'|indent(-1), 'a\\n\\n'|indent(1, blank=true), 'a\\nb\\n'|indent(2), '\\n'|indent(1, true, true), ''|indent(1, true, true)]
['a\\r\\nb'|indent(1), 'a\\rb'|indent('-'), 'a\\nb'|indent('--', true), 'a\\nb'|indent(width=1), 'é\\n中'|indent(1)]
['%s-%s'|format(1, none), '%d%%'|format(5), 'x'|format, '%s'|format([1]), '%s %s'|format('a', 'b')]
[1|e, none|e, ['<']|e, missing|e, '&amp;'|e, '"'|e, "'"|e, true|e, 1.5|e, ''|e]|join('|')
('<'|safe) ~ '<' ~ ('&'|e)
('<'|safe) + 'a' + ('>'|safe)
'<' + ('b'|safe)
('<' + ('b'|safe)) is escaped
[('<' ~ ('b'|safe)) is escaped, ('a' ~ 'b') is escaped, ('a'|e * 2) is escaped, ('a'|safe)|string is escaped]
[d|tojson(indent=1, sort_keys=false), {'a': []}|tojson(indent=2), (1,)|tojson(indent=1), {'a': {}}|tojson(indent=1)]|join(';')
[[1, 2]|tojson(indent=0), {'a': 1}|tojson(indent='\\t'), [1, 2]|tojson(separators=(' , ', ':')), {'a': 1}|tojson(false, none, none, true)]|join(';')
['é'|tojson(true), 'é'|tojson(false), {'é': 1}|tojson(ensure_ascii=true), 1e16|tojson, 1e15|tojson, -0.0|tojson, 1e-7|tojson]|join(';')
{'b': {'d': 1, 'c': [{'f': 1, 'e': 2}]}, 'a': 1}|tojson(sort_keys=true)
[1 < 2 < 3 < 3, 1 == 1 != 2, 3 > 2 > 1, 3 > 1 > 2, 1 < 2 == 2, not 1 < 2 < 1, 1 in [1] in [[1]], 1 <= 1 < 2 >= 2]
[2 > 1 in [1], 'a' in 'ab' != 'b', 1 < 3 > 2, 1 < 3 < 2, 1 != 2 != 1, 0 == 0 == 0, 0 == 0 == 1, 1 not in [2] in [[2]]]
[[1] < [1], [1] <= [1], [1] > [1], [1] >= [1], (1, 2) < (1, 2), [1, 2] < [1], [] < [], [2] < [1], [1, 'a'] < [2, 1]]
['a' < 'a', 'b' < 'a', 'a' <= 'a', 'a' >= 'b', 'B' < 'a', 'é' < 'z', 'a' < 'á', '' < '', 1 < 1.0, 1 <= 1.0, true < 2]
[1 in (1,), 1.0 in [1], true in [1], 'b' in {'b': 1}, '' in '', 'a' in '', [] in [[]], 2 in range(3), 3 in range(3), 'é' in 'café']
[none in (1,), (1,) in [(1,)], 1 in {1: 2}, 1 in {'1': 2}, 'a' in ['ab'], {} in [{}], none in {none: 1}, missing in [1]]
1 in 5
1 in 'a'
[1] in {'a': 1}
[{'a': 1} == {'a': 1, 'b': 2}, {'a': [1]} == {'a': [1]}, {1: 2} == {1.0: 2}, {'a': 1} == {'b': 1}, {'a': 1, 'b': 2} == {'b': 2, 'a': 1}]
[range(3) == range(3), [1] == (1,), [] == (), 'a' == ['a'], none == false, none == 0, '' == none, 1 == '1', 0 == '', [] == false]
[[1, 2] == [2, 1], [1] == [1, 1], (1, (2,)) == (1, (2,)), [none] == [none], 1.5 == 1.5, 0.1 + 0.2 == 0.3, -0.0 == 0]
[10 - 2 - 3, 2 * 3 % 4, 7 // 2 * 2, 100 / 10 / 2, 2 ** 2 ** 3, 2 + 3 * 4 ** 2, -3 % 5, (-3) % 5, -3 // 2, 7 - -2]
[1 + 2 ~ 3, 1 ~ 2 + 3, 2 * 3 ~ 4, -1 ~ 2, 1 ~ 2 ~ 3, 'a' ~ 1 == 'a1', 1 ~ 2 in '12']
[1 or 0 and 0, not 0 or 1, not (0 or 1), 0 or 0 or 3, 1 and 2 and 3, 0 and 1 or 2, not 1 == 2, not not 3, 1 and not 0]
[1 if 0 else 2 if 1 else 3, 1 if 1 else 2 if 0 else 3, 1 if 0 else 2 if 0 else 3, 'x' ~ 1 if 1 else 2, (1 if 0 else 2) + 1, 1 if 0 or 1 else 2]
1 if true else 2 if false else 3
[('a' if 0) is defined, ('a' if 1) is defined, ('a' if 0 else 'b' if 0) is defined]
-2 ** 2 ~ (-2) ** 2 ~ 2 ** -2
[1.0, 1e5, 1E5, 1e+5, 1_0, 1_0.5_0, 1.0e1_0, 00, 0_0, 0.0, 1e0, 123_456]
1__0
1_
01
[9223372036854775807, -9223372036854775807, 2 ** 62, 4611686018427387904 * 2 - 1 if 0 else 1]
['abc'.find(''), 'abc'.rfind(''), 'ab'.index(''), ''.find(''), ''.find('a'), '中b中'.rfind('中'), '中b'.find('b'), '中b'.index('b'), 'b中中'.rindex('中')]
['中中a'.count('中'), '中'.count(''), ''.count(''), 'aaa'.count('a'), 'abab'.count('ab'), 'a'.count('aa')]
[[1, 1.0, true, '1'].count(1), [1, 2, 1].index(1), (1, 2).index(2), [].count(1), (1, 1).count(1), range(3).index(2), range(3).count(1)]
(1, 2).index(3)
[{'a': none}.get('a', 1), {}.get('b', 2), {}.get('b'), {1: 2}.get(1.0), {}.items()|list, {}.keys()|list, {'a': 1}.values()|list, {'keys': 1}.keys()|list]
['a'.startswith(()), ''.startswith(''), 'ab'.endswith(''), 'a'.startswith('ab'), 'ab'.startswith('b'), 'ab'.endswith('a'), 'ab'.endswith(('a', 'b'))]
'a'.startswith((1,))
['  a\\t\\n'.strip(), 'abcba'.strip('ab'), 'é中é'.strip('é'), 'aab'.lstrip('a'), 'baa'.rstrip('a'), '   '.strip(), 'aaa'.strip('a'), ' a '.lstrip(), ' a '.rstrip()]
['a\\r\\rb'.splitlines(), '\\r\\n\\r\\n'.splitlines(), '\\n'.splitlines(true), 'a\\n\\rb'.splitlines(), 'a'.splitlines(), '\\na'.splitlines(), 'a\\r'.splitlines(true)]
['a,b'.split(',', -1), 'a'.split(','), ','.split(','), 'a  b'.split(), ' '.split(), 'aXbXc'.split('X', 1), 'aXbXc'.rsplit('X', 1), 'é中é'.split('中')]
['a b c'.rsplit(none, 1), 'a b c'.split(none, 1), ' a  b '.rsplit(none, 1), ' a  b '.split(none, 1), 'a b'.rsplit(none, 5), 'a,b'.rsplit(',', 5), 'a,b'.rsplit(',', 0)]
['x-y z_w 1a'.title(), 'ǆa'.capitalize(), "a'b".title(), 'ÉCOLE'.capitalize(), 'éa'.title(), '1a'.capitalize(), 'ab'.upper(), 'AB'.lower()]
['ab'.join('xyz'), '-'.join(('a',)), ''.join(['a', 'b']), ','.join({'k': 1}), '-'.join('')]
','.join([1])
['axb'.partition('x'), 'axbxc'.partition('x'), 'axbxc'.rpartition('x'), 'x'.partition('x'), 'é中é'.partition('中')]
['aa'.removeprefix('a'), 'aa'.removesuffix('a'), 'a'.removeprefix('aa'), 'a'.removesuffix('aa'), ''.removeprefix('a')]
['%.3d' % 7, '%.3d' % -7, '%5.3d|' % 7, '%-5.3d|' % 7, '%.2x' % 255, '%.4x' % 255, '%.0d' % 0, '%05.3d' % 7, '%+.2d' % 3]
['%5s|' % 'ab', '%-5s|' % 'ab', '%05s|' % 'ab', '%+s' % 'a', '%.1s' % 'é中', '%5s' % 'é', '%s' % none, '%s' % [1, 'a'], '%r' % ['a']]
['%5.1f' % 2.25, '%.0f' % 2.5, '%.1f' % -0.04, '%05.1f' % -2.5, '%+.1f' % 0.0, '%g' % 1e6, '%g' % 1e5, '%g' % 0.0001, '%g' % 0.00001, '%.3g' % 1234]
['%e' % 0, '%.0e' % 1.5, '%f' % 1e10, '%x' % 0, '%o' % 8, '%X' % 171, '%d' % 3.99, '%d' % -3.99, '%i' % true, '% d' % 5, '% d' % -5]
['{:3}|{:<3}|{:>3}'.format(1, 1, 1), '{:3}|{:<3}|{:>3}'.format('a', 'a', 'a'), '{:03}'.format(-1), '{:+}'.format(0), '{:.1f}'.format(1), '{:5.1f}'.format(2.25)]
['{}{}'.format(1, 'a'), '{1}{0}{1}'.format(1, 2), '{a}{b}'.format(b=1, a=2), '{0}{a}'.format(1, a=2), '{{{}}}'.format(1), '{}'.format(none), '{}'.format([1])]
'{}{}'.format(1)
'}}'.format()
'{:.3d}'.format(7)
'{:.3}'.format(7)
'{:.3x}'.format(7)
[range(5, 1)|list, range(1, 6, 2)|list, range(5, 0, -2)|list, range(0, 5, 5)|list, range(0, 6, 5)|list, range(-3)|list, range(3, 3)|list, range(0, -3, -1)|list]
[range(100000)|length, range(7)[-1], range(10)[::3]|list, range(10)[8:]|list, range(3)[5:]|list]
['abc'[3:], 'abc'[2:], 'abc'[:0], 'abc'[-1:], 'abc'[:-1], 'abc'[::-2], 'abc'[1:1], 'é中a'[1:], 'é中a'[::-1], 'é中a'[-2:-1]]
[[1, 2, 3][3:], [1, 2, 3][-2:], [1, 2, 3][::2], [1, 2, 3][::-1], (1, 2, 3)[1:], (1, 2, 3)[:-1], [1, 2, 3][5:1:-1], [1, 2, 3][-1:0:-1]]
[dict(a=1)['a'], dict([['a', 1]], a=2), dict({'a': 1}, b=2)|length, dict(), dict(missing), dict({})]
dict([1])
dict([(1, 2, 3)])
dict(1, 2)
[namespace(a=1, b=2).b, namespace([('a', 3)]).a, namespace({'a': 1}, a=2).a]
[1 is divisibleby 1, 7 is divisibleby 7, 7 is divisibleby 2, -7 is divisibleby 7, 0 is divisibleby 1]
[true is sameas true, true is sameas false, none is sameas false, 0 is sameas false, 1 is sameas true, none is sameas none, '' is sameas none]
['a' is in ['a'], 'a' is in 'b', 1 is not in [1], 'in' is test, 'divisibleby' is test, 'upper' is test, 'upper' is filter, 'e' is filter]
[missing is none, missing is string, missing is number, missing is mapping, missing is true, missing is boolean]
[d.items() is iterable, d.items() is sequence, d.keys() is mapping, [1]|map('string') is iterable, [1]|map('string') is sequence, range(1) is mapping]
[1 is lt 2, 1 is le 1, 2 is gt 1, 1 is ge 2, 'a' is lt 'b', 1 is eq 1.0, 1 is ne '1', [1] is eq [1], [1] is lt [1], [1] is le [1]]
strftime_now('%H:%M|%y|%m|%d|%a|%b|%p|%I|%%')
strftime_now('')
['\\u00e9'|upper, 'É'|lower, 'ß'|upper, 'éa b'|title, 'ÉA'|capitalize, 12|upper, none|lower, true|upper]
[users[0].name, users[-1]['name'], users[0]['tags'][1], users[0].tags.0, users[9] is defined, users[0].zz is defined, d['a'][1]['x']]
""".strip("\n").split("\n")

BLOCKS = [
    "", "{{ 'a\\\nb' }}", "x", "x\n", "x\n\n", "\n", "a\r\nb\rc\n", "{{ s }}\n", "{{ s }}\n\n", "{{ s }}\nx", "{{- s -}}", " {{- s -}} \n x", " {{ s }} ",
    "{", "}", "{x}", "{ { x } }", "#}", "%}", "}}", "a {# c #} b", "a\n  {# c #}\nb", "a {#- c -#} b", "{# unclosed", "a{##}b", "a{#}#}b",
    "a\n  {# c +#}\nb", "a\n  {#+ c #}\nb", "{# {{ x }} {% if %} #}y",
    "{% if t %}a{% endif %}", "{% if no %}a{% else %}b{% endif %}", "{% if no %}a{% elif n == 7 %}b{% else %}c{% endif %}",
    "{% if no %}a{% elif no %}b{% elif t %}c{% endif %}d", "{% if missing %}a{% else %}b{% endif %}", "{% if t: %}a{% endif %}",
    "{% if t %}", "{% if %}a{% endif %}", "{% endif %}", "{% else %}", "{% if t %}a{% endfor %}", "{% nosuch %}", "{% %}", "{% if t }}x{% endif %}", "{{ s %}",
    "{% if t %}\n  a\n{% endif %}\nb", "  {% if t %}  \n  a\n  {% endif %}\nb", "x  {% if t %}\n a {% endif %} \n", "{% if t -%}\n\n a\n{%- endif %}\n b",
    "  {%+ if t %}a{%+ endif %}", "  {%- if t +%}\n a{% endif +%}\n", "a\n\t {% if t %}b{% endif %}", "a\u3000{%- if t -%}\u3000b{% endif %}", "{% if t %}a{% endif %}\n{% if t %}b{% endif %}\n",
    "{{ 'a' }}  {% if t %}b{% endif %}", "{% if t %}{% endif %}  {% if t %}b{% endif %}", "{% if t -%}  x  {%- endif -%}  \n\n y", "a {{- ' b ' -}} c", "a  \n {{- 'b' }}\n c",
    "{{+ 1 }}", "{{ 1 +}}", "{{ 1 -}}\n x", "{{ -1 }}", "{{-1}}", "{{ - 1 }}", "{%if t%}a{%endif%}", "{{'}}'}}", "{{ {'a': {'b': 1}}['a']['b'] }}", "{{ {'a': {}} }}", "{{ '%}' }}{% if '%}' %}y{% endif %}",
    "{% for x in l %}{{ x }},{% endfor %}", "{% for x in [] %}a{% else %}none{% endfor %}", "{% for x in l %}a{% else %}none{% endfor %}", "{% for x in missing %}a{% else %}none{% endfor %}", "{% for x in nothing %}a{% endfor %}", "{% for x in 5 %}a{% endfor %}",
    "{% for c in zh %}{{ c }}|{% endfor %}", "{% for k in d %}{{ k }}{% endfor %}", "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k, v in d|dictsort %}{{ k }}={{ v }};{% endfor %}", "{% for k, v in d|items %}{{ k }}={{ v }};{% endfor %}",
    "{% for a, b in [(1, 2), [3, 4], 'xy'] %}{{ a }}{{ b }};{% endfor %}", "{% for a, b in [(1, 2, 3)] %}x{% endfor %}", "{% for a, b in [1] %}x{% endfor %}", "{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "{% for (a, b) in [(1, 2)] %}{{ a }}{{ b }}{% endfor %}", "{% for a, b in [(1, 2)] %}{{ b }}{{ a }}{% endfor %}",
    "{% for x in l if x > 1 %}{{ x }}{{ loop.index }}{{ loop.last }};{% endfor %}", "{% for x in l if x > 9 %}a{% else %}none{% endfor %}", "{% for x in l if loop.first %}{{ x }}{% endfor %}",
    "{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }};{% endfor %}",
    "{% for x in l %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }};{% endfor %}", "{% for x in l %}{{ loop.previtem is defined }}{{ loop.nextitem.x }}{% endfor %}", "{% for x in l %}{{ loop.cycle('a', 'b') }}{% endfor %}", "{% for x in l %}{{ loop.cycle() }}{% endfor %}", "{% for x in l %}{{ loop.nosuch }}{% endfor %}",
    "{% for x in l %}{% for y in l %}{{ loop.index }}{% endfor %}{{ loop.index }};{% endfor %}", "{% for x in l %}{% set o = loop %}{% for y in [1] %}{{ o.index }}{% endfor %}{% endfor %}", "{% for x in l|map('string') %}{{ loop.last }}{{ loop.length }}{% endfor %}",
    "{% for x in l %}{{ x }}{% break %}{% endfor %}", "{% for x in l %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}", "{% for x in l %}{% for y in l %}{% if y == 1 %}{% break %}{% endif %}{{ y }}{% endfor %};{% endfor %}", "{% break %}", "{% continue %}", "{% for x in l %}{% if loop.index == 2 %}{% break %}{% endif %}{{ x }}{% else %}e{% endfor %}",
    "{% for x in l %}", "{% for in l %}{% endfor %}", "{% for x l %}{% endfor %}", "{% for x.y in l %}{% endfor %}", "{% for x in l %}{% endif %}", "{% for true in l %}{% endfor %}", "{% for x in 1, 2 %}{{ x }}{% endfor %}", "{% for x in range(3) %}{{ x }}{% endfor %}", "{% for i in range(3, 0, -1) %}{{ i }}{% endfor %}",
    "{% for x in l -%}\n {{ x }}\n{%- endfor %}", "{% for x in l %}\n{{ x }}\n{% endfor %}\n", "{% for x in l if x is odd %}{{ x }}{% endfor %}", "{% for x in (l if t else []) %}{{ x }}{% endfor %}", "{% for x in l[::-1] %}{{ x }}{% endfor %}{{ x }}", "{{ loop is defined }}{% for x in l %}{{ loop is defined }}{% endfor %}",
    "{% set a = 1 %}{{ a }}", "{% set a = 1, 2 %}{{ a }}", "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set (a, b) = [1, 2] %}{{ a }}{{ b }}", "{% set a, b = 1 %}", "{% set a, b = 'xyz' %}", "{% set a = a %}{{ a }}", "{% set s = s ~ '!' %}{{ s }}", "{% set a %}", "{% set 1 = 2 %}", "{% set none = 2 %}", "{% set a.b = 1 %}", "{% set d.b = 1 %}", "{% set missing.b = 1 %}",
    "{% set a %}x{{ n }}{% endset %}[{{ a }}]", "{% set a | upper %}x{{ s }}{% endset %}{{ a }}", "{% set a | replace('x', 'y') | upper %}x{{ s }}{% endset %}{{ a }}", "{% set a %}{% set b = 1 %}{% endset %}{{ b is defined }}", "{% set a %}\n x\n{% endset %}{{ a }}",
    "{% set x = 0 %}{% for i in l %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}", "{% set ns = namespace(x=0) %}{% for i in l %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}", "{% set ns = namespace() %}{% set ns.a, ns.b = 1, 2 %}{{ ns.a }}{{ ns.b }}", "{% set ns = namespace(found=false) %}{% for m in messages %}{% if m.role == 'user' %}{% set ns.found = loop.index0 %}{% endif %}{% endfor %}{{ ns.found }}", "{% set ns = namespace(a=1) %}{{ ns.a is defined }}{{ ns.b is defined }}{{ ns is mapping }}{{ ns.b }}",
    "{% if t %}{% set x = 1 %}{% endif %}{{ x }}", "{% for i in l %}{% set y = i %}{% endfor %}{{ y is defined }}", "{% set x = 1 %}{% if t %}{% set x = 2 %}{% endif %}{{ x }}", "{% for i in l %}{% if i == 1 %}{% set z = 1 %}{% endif %}{{ z is defined }}{% endfor %}",
    "{% macro m(a, b=2) %}{{ a }}-{{ b }}{% endmacro %}{{ m(1) }} {{ m(1, 3) }} {{ m(a=5) }} {{ m(b=1, a=2) }} {{ m() }}", "{% macro m(a) %}x{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}x{% endmacro %}{{ m(b=1) }}", "{% macro m() %}{{ s }}{% set s = 1 %}{% endmacro %}{{ m() }}{{ s }}", "{% macro m(a, b=a) %}{{ b }}{% endmacro %}{{ m(4) }}", "{% macro m(a=1, b) %}{% endmacro %}", "{% macro m(1) %}{% endmacro %}", "{% macro %}{% endmacro %}",
    "{% macro m(x) %}{% if x > 0 %}{{ x }}{{ m(x - 1) }}{% endif %}{% endmacro %}{{ m(3) }}", "{% macro m() %}{{ late }}{% endmacro %}{% set late = 5 %}{{ m() }}", "{% for i in l %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}", "{% macro m() %}{{ i }}{% endmacro %}{% for i in l %}{{ m() }}|{% endfor %}", "{{ m(1) }}{% macro m(a) %}{{ a }}{% endmacro %}", "{% macro m(a) %}[{{ a }}]{% endmacro %}{{ m('x')|upper }}{{ m('y') ~ 'z' }}{{ m('a')|length }}", "{% macro m(a) -%}\n  {{ a }}\n{%- endmacro %}{{ m(1) }}", "{% macro m(a) %}{{ a is defined }}{% endmacro %}{{ m() }}", "{% macro m(a) %}{{ a.b }}{% endmacro %}{{ m() }}",
    "{% macro m() %}<{{ caller() }}>{% endmacro %}{% call m() %}x{{ s }}{% endcall %}", "{% macro m(l) %}{% for x in l %}{{ caller(x) }};{% endfor %}{% endmacro %}{% call(i) m(l) %}<{{ i }}>{% endcall %}", "{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}", "{% macro m() %}{{ caller is defined }}{% endmacro %}{{ m() }}", "{% call s %}x{% endcall %}", "{% call 1 %}x{% endcall %}", "{% macro m(a) %}{{ caller(a, 2) }}{% endmacro %}{% call(x, y=3) m(1) %}{{ x }}{{ y }}{% endcall %}",
    "{% macro m(a, b, c=3) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(*[1, 2]) }} {{ m(1, *[2, 4]) }} {{ m(*[1], b=2) }} {{ m(1, *'xy') }}", "{% macro m(a, b) %}{{ a }}{% endmacro %}{{ m(*[1, 2, 3]) }}", "{{ dict(*[[('a', 1)]]) }}{{ range(*(1, 4))|list }}", "{{ range(*1) }}", "{{ range(*[1], 2) }}", "{{ range(*[1], *[2]) }}", "{{ *l }}", "{{ s.replace(*['l', 'L']) }}",
    "{% macro render(p, level=0) %}{% for k, v in p.items() %}{{ '  ' * level }}{{ k }}: {% if v is mapping %}\n{{ render(v, level + 1) }}{% else %}{{ v }}\n{% endif %}{% endfor %}{% endmacro %}{{ render(tool) }}",
    "{% filter upper %}a{{ s }}{% endfilter %}", "{% filter replace('a', 'b')|upper %}aa{% endfilter %}", "{% filter nosuch %}x{% endfilter %}", "{% filter trim %}  x {% endfilter %}|", "{% with a=1, b=2 %}{{ a }}{{ b }}{% endwith %}{{ a is defined }}", "{% with %}{% set q = 1 %}{{ q }}{% endwith %}{{ q is defined }}", "{% with a=n %}{{ a }}{% endwith %}",
    "{% raw %}{{ x }}{% if %}{% endraw %}y", "a {%- raw -%} {{ x }} {%- endraw -%} y", "{% raw %}x", "{% raw %}\n a\n{% endraw %}\nb", "  {% raw %}a{% endraw %}", "{% raw %}{% raw %}{% endraw %}",
    "{% generation %}x{{ s }}{% endgeneration %}", "a{% generation %}b{% endgeneration %}c{% generation %}d{% endgeneration %}", "{% for m in messages %}{{ m.role }}:{% generation %}{{ m.content }}{% endgeneration %};{% endfor %}", "{% generation %}{% set x = 1 %}{% endgeneration %}{{ x is defined }}", "{% generation %}a{% endgeneration %}{% generation %}b{% endgeneration %}", "{% generation %}", "{% macro m() %}{% generation %}x{% endgeneration %}{% endmacro %}a{{ m() }}b", "{% set a %}1{% generation %}你好{% endgeneration %} {% endset %}é{{ a|trim }}", "{%- generation -%}  x {%- endgeneration -%} y", "{% for x in l %}{% generation %}{% break %}{% endgeneration %}{% endfor %}",
    "{% set x = l|select('odd') %}{{ x|list }}{{ x|list }}", "{% set x = d.items() %}{{ x|list }}{{ x|list }}", "{% set x = messages|selectattr('role', 'equalto', 'user') %}{{ x|first }}{{ x|list|length }}", "{{ s }}{{ raise_exception('stop ' ~ n) }}", "{% if messages[1].role != 'assistant' %}{{ raise_exception('roles must alternate: é') }}{% endif %}",
    "{% set messages = messages[1:] %}{{ messages|length }}", "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% endif %}{{ system }}{{ loop_messages|length }}", "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}{% for c in m.content %}{% if c.type == 'text' %}{{ c.text }}{% elif c['type'] == 'image' %}<img>{% endif %}{% endfor %}{% endif %}|{% endfor %}",
    "{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 1) %}{{ raise_exception('alternate') }}{% endif %}{% endfor %}", "{{ 'a\n b' }}\n", "{{ '''a''' }}", "{{ s\n }}\n{{ s }}", "{% if t\n %}x{% endif %}", "{% include 'x' %}", "{% extends 'x' %}", "{% import 'x' as y %}", "{% do l.append(1) %}", "{% set x = [] %}{% set _ = x.append(1) %}{{ x }}", "{% autoescape true %}", "{{ self }}{{ super() }}", "{{ a }}{{", "{{ }}", "{% set %}", "{{ 1, 2 }}", "{{ 1, }}", "{{ () }}", "{% if 1, 2 %}x{% endif %}", "{% set a = %}", "{{ s if }}", "{{ (s }}", "{{ s) }}", "{{ [1, 2 }}", "{{ {'a' 1} }}",
    "{{ messages[0].content ~ '\\n' }}x", "{%- for m in messages -%}\n{{ '<|' ~ m.role ~ '|>' }}\n{%- endfor -%}", "{% set a = 'x' if t else 'y' %}{{ a }}", "{% set a = b = 1 %}", "{{ a := 1 }}", "{% for m in messages %}{{- m.role }}\n{% endfor %}", "{%- set x -%} a {%- endset -%}{{ x }}|", "{% set a = {'x': 1, 'y': [1, 2, {'z': s}]} %}{{ a.y[2].z }}{{ a['x'] }}", "{{ [1, [2, [3]]][1][1][0] }}", "{{ ((((1)))) }}", "{% if not t and no or n == 7 %}y{% endif %}",
    "{% set a, b = [1] %}x", "{% set a, b = [1, 2, 3] %}x", "{% set a, b = [] %}x", "{% set a, b = (1,) %}x", "{% set a, b = missing %}x", "{% set (a, b), c = [1, 2], 3 %}{{ a }}{{ b }}{{ c }}",
    "{% for a, b in [[1]] %}x{% endfor %}", "{% for a, b in [[]] %}x{% endfor %}", "{% set a, b = {'x': 1, 'y': 2} %}{{ a }}{{ b }}", "{% set a, b = 'xy' %}{{ b }}{{ a }}", "{% set a, (b, c) = 1, [2, 3] %}{{ c }}{{ b }}{{ a }}", "{% set a, (b, c) = 1, [2] %}x",
    "{% for x in [1] %}{{ loop.first }}{{ loop.last }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.previtem is defined }}{{ loop.nextitem is defined }}{% endfor %}", "{% for x in range(5) %}{{ loop.cycle('a', 'b', 'c') }}{% endfor %}", "{% for x in 'ab' %}{{ loop.index0 }}{{ x }}{% endfor %}", "{% for x in range(3) %}{% for y in range(x) %}{{ x }}{{ y }}{% if y %}{% break %}{% endif %}{% else %}-{% endfor %};{% endfor %}",
    "{% for x in l %}{% continue %}{{ x }}{% endfor %}e", "{% for x in l %}{% if loop.last %}{% continue %}{% endif %}{{ x }}{% else %}e{% endfor %}", "{% for x in l %}{% if x == 3 %}{% continue %}{% endif %}{{ loop.index }}{{ x }}{% endfor %}", "{% set x = 9 %}{% for x in l %}{% endfor %}{{ x }}", "{% for x in l if x < 3 %}{{ loop.length }}{{ loop.revindex }};{% endfor %}", "{% for x in l if x != 1 %}{{ loop.previtem }}{{ x }}{{ loop.nextitem }};{% endfor %}",
    "{% set x = [1, 2, 3]|map('string') %}{{ x|first }}{{ x|first }}{{ x|list }}{{ x|first is defined }}", "{% set x = [1, 2]|map('string') %}{% for a in x %}{{ a }}{% endfor %}{% for a in x %}{{ a }}{% else %}none{% endfor %}", "{% set x = [1, 2]|batch(1) %}{{ x|list }}{{ x|list }}", "{% set x = d|items %}{{ x|list|length }}{{ x|list|length }}", "{% set x = l|reverse %}{{ 1 in x }}{{ x|list }}", "{% set x = 'ab'|reverse %}{{ x|list }}{{ x|list }}",
    "{% with a=1 %}{% with a=2 %}{{ a }}{% endwith %}{{ a }}{% endwith %}", "{% set a = 5 %}{% with a=1, b=a %}{{ b }}{{ a }}{% endwith %}{{ a }}", "{% with a=1 %}{% set a = 2 %}{{ a }}{% endwith %}{{ a is defined }}", "{% set a = 5 %}{% set b %}{% set a = 6 %}{{ a }}{% endset %}{{ a }}{{ b }}",
    "{% filter indent(2) %}a\nb{% endfilter %}", "{% filter default('x', true) %}{% endfilter %}", "{% filter join('-') %}abc{% endfilter %}", "{% set a | trim | upper %} x {% endset %}{{ a }}", "{% set a | replace('x', 'y', count=1) %}xx{% endset %}{{ a }}", "{% filter e %}<{% endfilter %}<", "{% filter upper %}{% filter lower %}aB{% endfilter %}c{% endfilter %}",
    "{% macro m(a, b=a ~ 'x', c=b) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }} {{ m(1, 2) }} {{ m(1, c=3) }} {{ m(c=1, a=2) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, a=2) }}", "{% macro m() %}{% macro n() %}n{% endmacro %}{{ n() }}{% endmacro %}{{ m() }}{{ n is defined }}", "{% macro m() %}{{ caller() }}{{ caller() }}{% endmacro %}{% set i = 1 %}{% call m() %}{{ i }}{% endcall %}", "{% macro m() %}{{ caller(1, 2) }}{% endmacro %}{% call(x) m() %}{{ x }}{% endcall %}", "{% macro m() %}{{ caller() }}{% endmacro %}{% call(x) m() %}{{ x is defined }}{% endcall %}", "{% set m = 1 %}{% macro m() %}x{% endmacro %}{{ m() }}", "{% macro m(x) %}{{ x }}{% endmacro %}{% for x in l %}{{ m(x) }}{% endfor %}{{ x is defined }}", "{% macro a() %}a{{ b() }}{% endmacro %}{% macro b() %}b{% endmacro %}{{ a() }}",
    "{% raw -%}  a{% endraw %}", "{% raw %}a\n{% endraw -%}  \n b", "{% raw %}a{% endraw +%}\nb", "{% raw %}a{% endraw %}\nb", "{% raw %}a{% endraw %}\n\nb", "a\n  {%- raw %} b {%- endraw %} c", "{%raw%}{{x}}{%endraw%}", "{% raw%}\n\nx{% endraw %}\n\ny", "a\n  {% raw %}x\n  {% endraw %}y", "a  {%+ raw %}x{%+ endraw %}", "{% raw %}{% endraw %}x", "{% raw %}{% end raw %}{% endraw %}", "{% raw %}{# c #}{% endraw %}{# c #}d", "{% raw x %}a{% endraw %}",
    "a {#- c #} b", "a\n{# c -#}\n b", "{# a #}\n{# b #}\nc", "a {# c #}\n\nb", "a{# {# #}b", "{#- a -#}", " {# c #}x", "x {# c #}", "a\n {#- c +#}\nb",
    "a\n  {%- if t -%}\n  b\n  {%- endif -%}\n  c", "a\n  {%+ if t +%}\n  b\n  {%+ endif +%}\n  c", "a\n  {% if t %}\n  b\n  {% endif %}\n  c", "  {{ s }}  \n  {{ s }}", "a\n\n  {% if t %}x{% endif %}\n\n\nb", "a \n \n {%- if t %}x{% endif %}", "{% if t %}\n\n{% endif %}\n", "\t{% set a = 1 %}\n{{ a }}", "x{% set a = 1 %} {{ a }}", "{{ 1 -}} \n {{- 2 }}", "{{ 1 }} \n {{- 2 }}",
    "{% if no %}{% elif t %}{% generation %}x{% endgeneration %}{% else %}y{% endif %}", "{% generation %}{{ s|upper }}{% endgeneration %}{{ s }}", "{% generation %}{% endgeneration %}x", "x{% generation %}\ny\n{% endgeneration %}\nz",
]

FAMILIES = {
    "deepseek": """{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}{{ 'User: ' + message['content'] + '\n\n' }}{% elif message['role'] == 'assistant' %}{{ 'Assistant: ' + message['content'] + eos_token }}{% elif message['role'] == 'system' %}{{ message['content'] + '\n\n' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}""",
    "chatml": """{% for message in messages %}
{%- if loop.first and message.role != 'system' %}
{{- '<|im_start|>system\nYou are helpful.<|im_end|>\n' }}
{%- endif %}
<|im_start|>{{ message.role }}
{% if message.content is string %}{{ message.content | trim }}{% else %}{{ message.content | tojson }}{% endif %}<|im_end|>
{% endfor %}
{% if add_generation_prompt %}
<|im_start|>assistant
{% endif %}
""",
    "llama2": """{% if messages[0]['role'] == 'system' %}{% set turns = messages[1:] %}{% set system = messages[0]['content'] %}{% else %}{% set turns = messages %}{% set system = false %}{% endif %}{% for turn in turns %}{% if (turn['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Turns must alternate: user, assistant, user, ...') }}{% endif %}{% if loop.index0 == 0 and system != false %}{% set content = '<<SYS>>\n' + system + '\n<</SYS>>\n\n' + turn['content'] %}{% else %}{% set content = turn['content'] %}{% endif %}{% if turn['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif turn['role'] == 'assistant' %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}""",
    "llama3": """{{- bos_token }}
{%- if not date_string is defined %}
  {%- if strftime_now is defined %}
    {%- set date_string = strftime_now("%d %b %Y") %}
  {%- else %}
    {%- set date_string = "26 Jul 2024" %}
  {%- endif %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
  {%- set system_message = messages[0]['content']|trim %}
  {%- set messages = messages[1:] %}
{%- else %}
  {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\n\n" }}
{{- "Today Date: " + date_string + "\n\n" }}
{%- if tools %}
  {%- for t in tools %}
    {{- t | tojson(indent=4) }}
    {{- "\n\n" }}
  {%- endfor %}
{%- endif %}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
  {%- if not (message.role == 'tool' or 'tool_calls' in message) %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' }}
  {%- elif 'tool_calls' in message %}
    {%- if not message.tool_calls|length == 1 %}
      {{- raise_exception("One call a turn.") }}
    {%- endif %}
    {%- set call = message.tool_calls[0].function %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' -}}
    {{- '{"name": "' + call.name + '", ' }}
    {{- '"parameters": ' }}{{- call.arguments | tojson }}{{- "}" }}{{- "<|eot_id|>" }}
  {%- else %}
    {{- "<|start_header_id|>ipython<|end_header_id|>\n\n" }}
    {%- if message.content is mapping or message.content is iterable %}
      {{- message.content | tojson }}
    {%- else %}
      {{- message.content }}
    {%- endif %}
    {{- "<|eot_id|>" }}
  {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
  {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
{%- endif %}
""",
    "mistral_tools": """{%- if messages[0]["role"] == "system" %}
    {%- set system = messages[0]["content"] %}
    {%- set rest = messages[1:] %}
{%- else %}
    {%- set rest = messages %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}
{%- set users = rest | selectattr("role", "equalto", "user") | list %}
{%- set ns = namespace() %}
{%- set ns.index = 0 %}
{%- for m in rest %}
    {%- if not (m.role == "tool" or (m.tool_calls is defined and m.tool_calls is not none)) %}
        {%- if (m["role"] == "user") != (ns.index % 2 == 0) %}
            {{- raise_exception("Roles must alternate after the system message") }}
        {%- endif %}
        {%- set ns.index = ns.index + 1 %}
    {%- endif %}
{%- endfor %}
{{- bos_token }}
{%- for m in rest %}
    {%- if m["role"] == "user" %}
        {%- if tools is not none and (m == users[-1]) %}
            {{- "[AVAILABLE_TOOLS] [" }}
            {%- for tool in tools %}
                {%- set tool = tool.function %}
                {{- '{"type": "function", "function": {' }}
                {%- for key, val in tool.items() if key != "return" %}
                    {%- if val is string %}
                        {{- '"' + key + '": "' + val + '"' }}
                    {%- else %}
                        {{- '"' + key + '": ' + val|tojson }}
                    {%- endif %}
                    {%- if not loop.last %}{{- ", " }}{%- endif %}
                {%- endfor %}
                {{- "}}" }}
                {%- if not loop.last %}{{- ", " }}{%- else %}{{- "]" }}{%- endif %}
            {%- endfor %}
            {{- "[/AVAILABLE_TOOLS]" }}
        {%- endif %}
        {%- if loop.last and system is defined %}
            {{- "[INST] " + system + "\n\n" + m["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + m["content"] + "[/INST]" }}
        {%- endif %}
    {%- elif m.tool_calls is defined and m.tool_calls is not none %}
        {{- "[TOOL_CALLS] [" }}
        {%- for call in m.tool_calls %}
            {%- set out = call.function|tojson %}
            {{- out[:-1] }}
            {%- if not call.id is defined or call.id|length != 9 %}
                {{- raise_exception("Ids of calls have 9 characters") }}
            {%- endif %}
            {{- ', "id": "' + call.id + '"}' }}
            {%- if not loop.last %}{{- ", " }}{%- else %}{{- "]" + eos_token }}{%- endif %}
        {%- endfor %}
    {%- elif m["role"] == "assistant" %}
        {{- " " + m["content"]|trim + eos_token}}
    {%- elif m["role"] == "tool" %}
        {{- '[TOOL_RESULTS] {"content": ' + m.content|string + ', "call_id": "' + m.tool_call_id + '"}[/TOOL_RESULTS]' }}
    {%- else %}
        {{- raise_exception("Unknown role: " ~ m.role) }}
    {%- endif %}
{%- endfor %}
""",
    "qwen_thinking": """{%- if tools %}
    {{- '<|im_start|>system\n' }}
    {%- if messages[0].role == 'system' %}{{- messages[0].content + '\n\n' }}{%- endif %}
    {{- "# Tools\n<tools>" }}
    {%- for tool in tools %}
        {{- "\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\n</tools><|im_end|>\n" }}
{%- elif messages[0].role == 'system' %}
    {{- '<|im_start|>system\n' + messages[0].content + '<|im_end|>\n' }}
{%- endif %}
{%- set ns = namespace(multi_step=true, last_query=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step and message.role == "user" and not(message.content is string and message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step = false %}
        {%- set ns.last_query = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- set content = message.content if message.content is string else '' %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\n' + content + '<|im_end|>' + '\n' }}
    {%- elif message.role == "assistant" %}
        {%- set reasoning = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning = message.reasoning_content %}
        {%- elif '</think>' in content %}
            {%- set reasoning = content.split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\n') %}
        {%- endif %}
        {{- '<|im_start|>' + message.role }}
        {%- generation %}
        {%- if loop.index0 > ns.last_query and (loop.last or reasoning) %}
            {{- '\n<think>\n' + reasoning.strip('\n') + '\n</think>\n\n' + content.lstrip('\n') }}
        {%- else %}
            {{- '\n' + content }}
        {%- endif %}
        {%- for call in message.tool_calls or [] %}
            {%- if (loop.first and content) or (not loop.first) %}{{- '\n' }}{%- endif %}
            {%- if call.function %}{%- set call = call.function %}{%- endif %}
            {{- '<tool_call>\n{"name": "' }}{{- call.name }}{{- '", "arguments": ' }}
            {%- if call.arguments is string %}{{- call.arguments }}{%- else %}{{- call.arguments | tojson }}{%- endif %}
            {{- '}\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>' }}
        {%- endgeneration %}
        {{- '\n' }}
    {%- elif message.role == "tool" %}
        {%- if loop.first or (messages[loop.index0 - 1].role != "tool") %}{{- '<|im_start|>user' }}{%- endif %}
        {{- '\n<tool_response>\n' }}{{- content }}{{- '\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}{{- '<|im_end|>\n' }}{%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\n\n</think>\n\n' }}{%- endif %}
{%- endif %}
""",
    "gemma": """{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set first = messages[0]['content'] + '\n\n' %}{% set turns = messages[1:] %}{% else %}{% set first = '' %}{% set turns = messages %}{% endif %}{% for m in turns %}{% set role = 'model' if m['role'] == 'assistant' else m['role'] %}<start_of_turn>{{ role }}
{{ (first if loop.first else '') }}{% if m.content is string %}{{ m.content | trim }}{% elif m.content is iterable %}{% for item in m.content %}{% if item.type == 'image' %}<image>{% elif item.type == 'text' %}{{ item.text | trim }}{% endif %}{% endfor %}{% else %}{{ raise_exception('Content of no known type') }}{% endif %}<end_of_turn>
{% endfor %}{% if add_generation_prompt %}<start_of_turn>model
{% endif %}""",
    "phi": """{% for message in messages %}{% if message['role'] == 'system' and 'tools' in message and message['tools'] is not none %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|tool|>' + message['tools'] + '<|/tool|>' + '<|end|>' }}{% else %}{{ '<|' + message['role'] + '|>' + message['content'] | string + '<|end|>' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% else %}{{ eos_token }}{% endif %}""",
    "command_macros": """{%- macro json_to_python_type(spec) %}
{%- set basic = {"string": "str", "number": "float", "integer": "int", "boolean": "bool"} %}
{%- if basic[spec.type] is defined %}
    {{- basic[spec.type] }}
{%- elif spec.type == "array" %}
    {{- "List[" + json_to_python_type(spec["items"]) + "]" }}
{%- elif spec.type == "object" %}
    {{- "Dict[str, " + (json_to_python_type(spec.additionalProperties) if spec.additionalProperties is defined else "Any") + "]" }}
{%- elif spec.type is iterable %}
    {{- "Union[" }}
    {%- for t in spec.type %}
        {{- json_to_python_type({"type": t}) }}
        {%- if not loop.last %}{{- "," }}{%- endif %}
    {%- endfor %}
    {{- "]" }}
{%- else %}
    {{- "Any" }}
{%- endif %}
{%- endmacro %}
{%- macro signature(tool) -%}
def {{ tool.name }}(
{%- for name, field in tool.parameters.properties|items -%}
{{ name }}: {% if name not in (tool.parameters.required or []) %}{{ "Optional[" ~ json_to_python_type(field) ~ "] = None" }}{% else %}{{ json_to_python_type(field) }}{% endif %}{% if not loop.last %}, {% endif %}
{%- endfor %}):
{{ '"' * 3 }}{{ tool.description | default('') | indent(2) }}{{ '"' * 3 }}
{%- endmacro %}
{{- bos_token }}
{%- if tools %}
{{ '## Tools\n' }}
{%- for tool in tools %}{{ signature(tool.function) }}{{ '\n' }}{% endfor %}
{%- endif %}
{%- for message in messages -%}
<|START_OF_TURN_TOKEN|>{% if message.role == 'system' %}<|SYSTEM_TOKEN|>{% elif message.role == 'user' %}<|USER_TOKEN|>{% else %}<|CHATBOT_TOKEN|>{% endif %}{{ message.content }}<|END_OF_TURN_TOKEN|>
{%- endfor %}
{%- if add_generation_prompt %}<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>{% endif %}""",
    "zephyr_set_blocks": """{%- set separator %}
{{ eos_token }}
{% endset -%}
{%- macro turn(role) -%}<|{{ role }}|>
{{ caller() }}{{ separator | trim }}
{% endmacro -%}
{%- for message in messages -%}
{%- if message.content is none or not message.content -%}{%- continue -%}{%- endif -%}
{%- if loop.previtem is defined and loop.previtem.role == message.role -%}{{ '(again) ' }}{%- endif -%}
{%- call turn(message.role) -%}{{ message.content | string }}{%- endcall -%}
{%- if loop.index > 6 -%}{%- break -%}{%- endif -%}
{%- endfor -%}
{%- for key, value in (metadata | default({}))|dictsort %}{{ key }}={{ value }};{% endfor -%}
{%- if add_generation_prompt -%}<|assistant|>{{ '\n' }}{%- endif -%}""",
    "generation_tags": """{{ bos_token }}{% for m in messages %}{% if m.role == 'assistant' %}<a>{% generation %}{{ m.content }}{{ eos_token }}{% endgeneration %}{% else %}<{{ m.role[0] }}>{{ m.content }}{% endif %}
{% endfor %}""",
    "plain": """{{ bos_token }}{{ messages | map(attribute='content') | select('string') | join('\n') }}{{ eos_token if not add_generation_prompt }}""",
}

_SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}
_TOOLS = [VARIABLES["tool"], {"type": "function", "function": {"name": "查询", "description": "Line one\nline two", "parameters": {
    "type": "object", "properties": {"q": {"type": ["string", "null"]}, "tags": {"type": "array", "items": {"type": "number"}}}}}}]
CONVERSATIONS = [
    {"messages": [{"role": "user", "content": "Hello"}], "add_generation_prompt": True, **_SPECIAL},
    {"messages": [{"role": "system", "content": "You are kind."}, {"role": "user", "content": " What is 2+2? \n"}, {"role": "assistant", "content": "4."}], "add_generation_prompt": False, **_SPECIAL},
    {"messages": [{"role": "system", "content": "你是助手🎉"}, {"role": "user", "content": "你好"}, {"role": "assistant", "content": "<think>\n想\n</think>\n\n你好！é"}, {"role": "user", "content": "</s><|im_end|> \u200b {{ x }} {% if %}"}], "add_generation_prompt": True, **_SPECIAL},
    {"messages": [{"role": "user", "content": "weather?"}, {"role": "assistant", "content": "", "tool_calls": [{"id": "abcdef123", "type": "function", "function": {"name": "get_weather", "arguments": {"city": "Zürich", "days": 2}}}]}, {"role": "tool", "tool_call_id": "abcdef123", "content": "{\"t\": 21.5}"}, {"role": "assistant", "content": "21.5 degrees"}, {"role": "user", "content": "thanks"}], "tools": _TOOLS, "add_generation_prompt": True, "enable_thinking": False, **_SPECIAL},
    {"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}], "add_generation_prompt": False, **_SPECIAL},
    {"messages": [{"role": "user", "content": [{"type": "text", "text": " look "}, {"type": "image"}]}, {"role": "assistant", "content": "def f(x):\n    return x['a']\n"}], "tools": None, "add_generation_prompt": True, **_SPECIAL},
    {"messages": [{"role": "user", "content": ""}, {"role": "assistant", "content": None}], "add_generation_prompt": False, "metadata": {"b": 1, "A": [True, None]}, **_SPECIAL},
    {"messages": [], "add_generation_prompt": True, **_SPECIAL},
    {"messages": [{"content": "no role"}], "add_generation_prompt": True, **_SPECIAL},
]
