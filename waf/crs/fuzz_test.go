package crs_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"strings"
	"testing"

	"gatehouse/waf/crs"
)

// What is found to be without ambiguity is what Go's own reader finds.
func FuzzMultipart(f *testing.F) {
	const usual = "Content-Disposition: form-data; name=\"q\""
	for _, s := range []string{
		"--b\r\n" + usual + "\r\n\r\nx\r\n--b--\r\n",
		"--b\r\n" + usual + "; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\n\r\n--x\r\n--b\r\n" + usual + "\r\n\r\n\r\n--b--",
		"--b\r\n" + usual + "\n\nx\n--b--\n", "--b--\r\n", "--b", "\r\n--b\r\n\r\n--b--", "--b\r\n" + usual + "\r\n\r\nx\r\n--bb\r\n--b--\r\n",
		"--b\r\n" + usual + "\r\n\r\nx\r--b\r\n--b--",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got := crs.Split("multipart/form-data; boundary=b", data)
		if got.Strict != "" {
			return
		}
		r := multipart.NewReader(bytes.NewReader(data), "b")
		for i := 0; ; i++ {
			p, err := r.NextRawPart()
			if errors.Is(err, io.EOF) {
				if i != len(got.Parts) {
					t.Fatalf("%d parts, not %d", len(got.Parts), i)
				}
				return
			}
			if err != nil {
				t.Fatalf("part %d: %v", i, err)
			}
			content, err := io.ReadAll(p)
			if err != nil {
				t.Fatal(err)
			}
			if i >= len(got.Parts) || !bytes.Equal(got.Parts[i].Data, content) || got.Parts[i].Name != p.FormName() {
				t.Fatalf("part %d: %q, not %q %q", i, got.Parts, p.FormName(), content)
			}
		}
	})
}

// Every text of a JSON body is among what is inspected.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"a": {"b": [1, "x", null, true, {}]}, "a": "y"}`, `[[["x"]], "y"]`, `"x"`, `{"a":`, `{} {"b": "c"}`, `[1,[],"z"]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var v any
		args := crs.FlatJSON(data)
		if json.Unmarshal(data, &v) != nil || bytes.Count(data, []byte{'['})+bytes.Count(data, []byte{'{'}) > 100 || len(args) >= 1000 {
			return
		}
		seen := make(map[string]bool)
		for _, a := range args {
			seen[a.Value] = true
		}
		var walk func(any)
		walk = func(v any) {
			switch v := v.(type) {
			case string:
				if !seen[v] {
					t.Fatalf("%q is not among %v", v, args)
				}
			case []any:
				for _, one := range v {
					walk(one)
				}
			case map[string]any:
				for _, one := range v {
					walk(one)
				}
			}
		}
		walk(v)
	})
}

func TestPaths(t *testing.T) {
	for _, test := range []struct {
		pattern, path string
		want          bool
	}{
		{"/", "", true}, {"/", "a", false}, {"/a", "a", true}, {"/a", "a/b", false}, {"/{x}", "a", true}, {"/{x}/b", "a/b", true}, {"/{x}/b", "a/c", false},
		{"/a/{p*}", "a", true}, {"/a/{p*}", "a/b/c", true}, {"/a/{p+}", "a", false}, {"/a/{p+}", "a/b/c", true}, {"/a/{p+}", "b/c", false},
	} {
		var segments []string
		if test.path != "" {
			segments = strings.Split(test.path, "/")
		}
		if got := crs.Matches(test.pattern, segments); got != test.want {
			t.Errorf("%s of /%s: %v", test.pattern, test.path, got)
		}
	}
}
