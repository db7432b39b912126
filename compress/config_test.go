package compress

import (
	"fmt"
	"strings"
	"testing"

	"gatehouse/config"
)

func TestLoad(t *testing.T) {
	for text, want := range map[string]string{
		"true":  "false [zstd gzip br] default 1KiB [default] false",
		"false": "true [zstd gzip br] default 1KiB [default] false",
		"{}":    "false [zstd gzip br] default 1KiB [default] false",
		"{algorithms: [br, gzip], level: best, min-size: 2KiB, types: [TEXT/*, '*+json'], cross-site: true}": "false [br gzip] best 2KiB [text/* *+json] true",
		"{algorithms: gzip, types: default, min-size: 0}":                                                    "false [gzip] default 0 [default] false",
	} {
		c, err := load(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := fmt.Sprint(c.Off, c.Algorithms, " ", c.Level, " ", c.MinSize, " ", c.Types, " ", c.CrossSite); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	for text, want := range map[string]string{
		"on":                               "wanted true or false, got on",
		"[gzip]":                           "write true, false, or how",
		"":                                 "write true, false, or how",
		"{algorithms: [deflate]}":          "wanted zstd, br or gzip, got deflate",
		"{algorithms: [gzip, gzip]}":       "gzip is there twice",
		"{algorithms: []}":                 "no algorithm is left",
		"{types: []}":                      "no media type is left",
		"{types: [json]}":                  "is no media type",
		"{types: ['*/*']}":                 "is no media type",
		"{types: ['text/*ml']}":            "a * where none can stand",
		"{types: ['text/html; q']}":        "parameters do not count",
		"{types: [application/grpc+json]}": "gRPC passes as it is",
		"{level: 9}":                       "wanted fast, default or best, got 9",
		"{min-size: 2MiB}":                 "wanted 0 to 1MiB, got 2MiB",
		"{algorithm: [gzip]}":              `did you mean "algorithms"?`,
	} {
		c, err := load(text)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "t.yaml:1:") {
			t.Errorf("%s: %+v, %v, want %s", text, c, err, want)
		}
	}
}

func TestTypes(t *testing.T) {
	usual, few := newTypes([]Type{Usual}), newTypes([]Type{"text/html", "*+zip", "image/*"})
	for name, want := range map[string][2]bool{
		"text/html": {true, true}, "text/html; charset=utf-8": {true, true}, " Text/HTML ;x": {true, true}, "text/plain": {true, false},
		"text/event-stream": {false, false}, "application/json": {true, false}, "application/ld+json": {true, false}, "image/svg+xml": {true, true},
		"application/wasm": {true, false}, "image/png": {false, true}, "application/x+zip": {false, true}, "application/zip": {false, false},
		"application/octet-stream": {false, false}, "video/mp4": {false, false}, "application/grpc+json": {false, false},
		"application/grpc-web-text+json": {false, false}, "": {false, false}, ";": {false, false}, "multipart/byteranges": {false, false},
		"application/jsonx": {false, false}, "text": {false, false}, "font/woff2": {false, false},
	} {
		if usual.has(name) != want[0] || few.has(name) != want[1] {
			t.Errorf("%q: %v %v", name, usual.has(name), few.has(name))
		}
	}
}

// A schema that refuses what the decoder takes would mislead editors.
func TestSchema(t *testing.T) {
	s := Config{}.ConfigSchema()
	if len(s.AnyOf) != 2 || s.AnyOf[0].Type != "boolean" || s.AnyOf[1].Properties["types"] == nil || s.AnyOf[1].Properties["off"] != nil {
		t.Errorf("%+v", s)
	}
	var _ config.Schemer = Config{}
}
