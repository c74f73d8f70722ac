//! What a template prints, and what is said of one that is none.

use serde_json::json;

use super::*;

fn pod() -> Value {
    json!({
        "metadata": {"name": "p", "labels": {"a": "b", "c.d/e": "f"}},
        "spec": {"priority": 0, "containers": [{"name": "c", "image": "nginx"}], "tolerations": [{"key": "x"}, {"key": "y"}], "none": null},
    })
}

fn made(template: &str) -> (String, Result<(), String>) {
    eval::run(&Template::parse(template, false).unwrap(), &pod())
}

/// Recorded from kubectl 1.32.
#[test]
fn templates_are_filled_in() {
    for (template, text) in [
        ("{{.x.y}}|{{.spec.none}}", "<no value>|<no value>"),
        (r#"{{index .spec.containers 0 "name"}} {{index .metadata.labels "nope"}}"#, "c <no value>"),
        ("{{if eq .spec.priority 0}}a{{end}}", "a"),
        ("{{len .spec.containers}} {{len .metadata.name}}", "1 1"),
        (r#"{{"YQ==" | base64decode}}"#, "a"),
        ("{{.metadata.labels}} {{.spec.tolerations}}", "map[a:b c.d/e:f] [map[key:x] map[key:y]]"),
        (r#"{{printf "%s %d" .metadata.name .spec.priority}}"#, "p 0"),
        (
            r#"{{printf "%d" "x"}} {{printf "%d"}} {{printf "a" 1}} {{printf "%v" .nope}}"#,
            "%!d(string=x) %!d(MISSING) a%!(EXTRA int=1) <nil>",
        ),
        (r#"{{printf "%5d|%-5s|%q|%x|%05.2f|%t|%s" 3 "a" "q" 255 1.5 true 3}}"#, "    3|a    |\"q\"|ff|01.50|true|%!s(int=3)"),
        ("{{$x := .metadata.name}}{{$x}}", "p"),
        ("{{$x := 1}}{{range .spec.tolerations}}{{$x = .key}}{{end}}{{$x}}", "y"),
        (r#"{{ .metadata.name | printf "%s-%s" "a" | len }}"#, "3"),
        ("{{- \"a\" -}}   b {{- /* c */ -}}  c", "abc"),
        ("{{with .metadata}}{{.name}}{{else}}no{{end}} {{with .x}}a{{else with .metadata}}{{.name}}{{end}}", "p p"),
        ("{{if .x}}a{{else if .metadata}}b{{else}}c{{end}}", "b"),
        ("{{range $i, $e := .spec.tolerations}}{{$i}}{{$e.key}},{{if $i}}{{break}}{{end}}{{end}}", "0x,1y,"),
        ("{{range $k, $v := .metadata.labels}}{{$k}}={{$v}} {{end}}", "a=b c.d/e=f "),
        ("{{range .items}}{{.x}}{{else}}none{{end}}", "none"),
        (r#"{{print "a" 1 2 "b"}}|{{println 1 "a"}}"#, "a1 2b|1 a\n"),
        (r#"{{and 1 0}} {{or 0 "x"}} {{not 1}} {{lt 1 2}} {{gt "a" "b"}} {{ne 1 2}} {{eq 1 2 1}}"#, "0 x false true false true true"),
        (r#"{{exists .metadata "name"}} {{exists .metadata "x"}} {{exists . "spec" "containers" 0 "name"}}"#, "true false true"),
        (r#"{{slice "abcdef" 1 3}} {{html "<a>"}} {{urlquery "a b&"}}"#, "bc &lt;a&gt; a+b%26"),
        (
            r#"{{(index .spec.containers 0).name}} {{`raw\n`}} {{"\u00e9"}} {{'a'}} {{true}} {{1.5}} {{1e6}}"#,
            "c raw\\n é 97 true 1.5 1e+06",
        ),
        (r#"{{define "t"}}T{{.}}{{end}}{{template "t" .metadata.name}}"#, "Tp"),
        ("a\n{{.metadata.name}}\n{{ .spec.priority\n}}", "a\np\n0"),
    ] {
        assert_eq!(made(template), (text.to_owned(), Ok(())), "{template}");
    }
}

#[test]
fn what_is_no_template_is_said() {
    for (template, why) in [
        ("{{.x", "unclosed action"),
        ("{{foo .x}}", "function \"foo\" not defined"),
        ("{{if .x}}", "unexpected EOF"),
        ("{{end}}", "unexpected {{end}}"),
        ("{{else}}", "unexpected {{else}}"),
        ("{{$y}}", "undefined variable \"$y\""),
        ("{{.a-b}}", "bad character U+002D '-'"),
        ("{{if}}{{end}}", "missing value for if"),
        ("{{\"a}}", "unterminated quoted string"),
        ("{{1 | 2}}", "non executable command in pipeline stage 2"),
    ] {
        let said = Template::parse(template, false).unwrap_err().to_string();
        assert_eq!(said, format!("error: error parsing template {template}, template: output:1: {why}\n"));
    }
}

#[test]
fn what_does_not_fit_is_said() {
    for (template, why) in [
        ("{{.metadata.name.foo}}", "11: executing \"output\" at <.metadata.name.foo>: can't evaluate field foo in type interface {}"),
        (
            "{{index .spec.containers 3}}",
            "2: executing \"output\" at <index .spec.containers 3>: error calling index: index out of range: 3",
        ),
        ("{{index .nope \"a\"}}", "2: executing \"output\" at <index .nope \"a\">: error calling index: index of untyped nil"),
        (
            "{{if eq .spec.priority 0.0}}a{{end}}",
            "5: executing \"output\" at <eq .spec.priority 0.0>: error calling eq: incompatible types for comparison",
        ),
        ("{{range .metadata.name}}{{end}}", "17: executing \"output\" at <.metadata.name>: range can't iterate over p"),
        ("{{len 3}}", "2: executing \"output\" at <len 3>: error calling len: len of type int"),
        ("{{lt 1 2 3}}", "2: executing \"output\" at <lt>: wrong number of args for lt: want 2 got 3"),
        ("{{eq}}", "2: executing \"output\" at <eq>: wrong number of args for eq: want at least 1 got 0"),
        ("{{nil}}", "2: executing \"output\" at <nil>: nil is not a command"),
        ("{{.metadata.name 1}}", "11: executing \"output\" at <.metadata.name>: name is not a method but has arguments"),
        (
            "{{index .metadata.labels 0}}",
            "2: executing \"output\" at <index .metadata.labels 0>: error calling index: value has type int; should be string",
        ),
        (
            "{{base64decode \"%%\"}}",
            "2: executing \"output\" at <base64decode \"%%\">: error calling base64decode: base64 decode failed: illegal base64 data at input byte 0",
        ),
    ] {
        assert_eq!(made(template).1.unwrap_err(), format!("template: output:1:{why}"), "{template}");
    }
    let strict = Template::parse("{{.a}}", true).unwrap();
    assert!(eval::run(&strict, &pod()).1.unwrap_err().ends_with("map has no entry for key \"a\""));
}
