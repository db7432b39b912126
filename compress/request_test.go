package compress

import (
	"net/http"
	"strings"
	"testing"
)

// store is a target with one resource, which it compares as RFC 9110 says.
func store(etag string, seen *http.Header) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		*seen = r.Header.Clone()
		h := w.Header()
		h.Set("Etag", etag)
		h.Set("Content-Type", "application/json")
		has := func(list string, strong bool) bool {
			for one := range strings.SplitSeq(list, ",") {
				one = strings.TrimSpace(one)
				if one == "*" || one == etag && !(strong && strings.HasPrefix(one, "W/")) || !strong && sameTag(one, etag) {
					return true
				}
			}
			return false
		}
		if list := r.Header.Get("If-Match"); list != "" && !has(list, true) {
			w.WriteHeader(412)
			return
		}
		if list := r.Header.Get("If-None-Match"); list != "" && has(list, false) {
			if r.Method == "GET" || r.Method == "HEAD" {
				w.WriteHeader(304)
			} else {
				w.WriteHeader(412)
			}
			return
		}
		_, _ = w.Write(orders(5000))
	}
}

// What a client got it can ask by: its copy is still good, in whichever coding
// it has it; and its change applies to what it saw.
func TestConditions(t *testing.T) {
	for _, etag := range []string{`"abc"`, `W/"abc"`, `"a,b~c"`, `""`} {
		for _, c := range []string{"gzip", "br", "zstd", ""} {
			var seen http.Header
			r := newRoute(t, on, store(etag, &seen))
			accept := "Accept-Encoding: " + c
			rec, _ := r.ask(t, "GET "+accept)
			has := rec.Header().Get("Etag")
			if (has == etag) != (c == "") {
				t.Errorf("%s %q: tag %s", etag, c, has)
			}
			if strings.Contains(etag, ",") {
				continue // the target above splits at every comma
			}
			for _, method := range []string{"GET", "HEAD"} {
				rec, _ = r.ask(t, method+" "+accept+"|If-None-Match: "+has)
				if rec.Code != 304 || rec.Header().Get("Etag") != has || rec.Header().Get("Vary") != "Accept-Encoding" || rec.Header().Get("Content-Encoding") != "" {
					t.Errorf("%s %q: a copy's %s gives %d %v", etag, c, method, rec.Code, rec.Header())
				}
			}
			rec, _ = r.ask(t, "GET "+accept+`|If-None-Match: "other", W/"x~gzip", `+has)
			if rec.Code != 304 || rec.Header().Get("Etag") != has {
				t.Errorf("%s %q: among others it gives %d %v", etag, c, rec.Code, rec.Header())
			}
			want := 200
			if strings.HasPrefix(etag, "W/") {
				want = 412 // as without the gateway
			}
			if rec, _ = r.ask(t, "PUT "+accept+"|If-Match: "+has); rec.Code != want || seen.Get("If-Match") != etag {
				t.Errorf("%s %q: a change gives %d, want %d; the target saw %s", etag, c, rec.Code, want, seen.Get("If-Match"))
			}
			if rec, _ = r.ask(t, "PUT "+accept+`|If-Match: W/"old~gzip"`); rec.Code != 412 {
				t.Errorf("%s %q: a change of what was gives %d", etag, c, rec.Code)
			}
			if rec, _ = r.ask(t, "PUT |If-None-Match: "+has); rec.Code != 412 {
				t.Errorf("%s %q: a creation gives %d", etag, c, rec.Code)
			}
		}
	}
}

func TestTargetSees(t *testing.T) {
	for name, test := range map[string]struct{ request, field, want string }{
		"a plain body is asked for":    {"GET Accept-Encoding: gzip, br", "Accept-Encoding", "identity"},
		"also for who says nothing":    {"GET ", "Accept-Encoding", "identity"},
		"not for gRPC":                 {"POST Accept-Encoding: gzip|Content-Type: application/grpc+proto", "Accept-Encoding", "gzip"},
		"not for WebSockets":           {"GET Accept-Encoding: gzip|Upgrade: websocket", "Accept-Encoding", "gzip"},
		"its own tag":                  {`GET Accept-Encoding: gzip|If-None-Match: W/"a~gzip"`, "If-None-Match", `"a"`},
		"its own weak tag":             {`GET Accept-Encoding: gzip|If-None-Match: W/"a~w~gzip"`, "If-None-Match", `W/"a"`},
		"among others":                 {`GET Accept-Encoding: gzip|If-None-Match: "b",W/"a~gzip" ,, "c~gzip"|If-None-Match: "d"`, "If-None-Match", `"b", "a", "c~gzip", "d"`},
		"with a comma in it":           {`GET Accept-Encoding: br|If-None-Match: W/"a,b~br"`, "If-None-Match", `"a,b"`},
		"not of a copy nobody reads":   {`GET Accept-Encoding: br|If-None-Match: W/"a~gzip"`, "If-None-Match", `W/"a~gzip"`},
		"not for who takes none":       {`GET |If-None-Match: W/"a~gzip"`, "If-None-Match", `W/"a~gzip"`},
		"strong, so not ours":          {`GET Accept-Encoding: gzip|If-None-Match: "a~gzip"`, "If-None-Match", `"a~gzip"`},
		"no coding of ours":            {`GET Accept-Encoding: gzip|If-None-Match: W/"a~lzma"`, "If-None-Match", `W/"a~lzma"`},
		"a list that cannot be read":   {`GET Accept-Encoding: gzip|If-None-Match: W/"a~gzip" junk`, "If-None-Match", `W/"a~gzip" junk`},
		"anything":                     {`GET Accept-Encoding: gzip|If-None-Match: *`, "If-None-Match", "*"},
		"a change, in any coding":      {`PUT |If-Match: W/"a~zstd"`, "If-Match", `"a"`},
		"a range":                      {"GET Accept-Encoding: gzip|Range: bytes=0-9", "Range", "bytes=0-9"},
		"a range by a tag":             {`GET Accept-Encoding: gzip|Range: bytes=0-9|If-Range: "a"`, "Range", "bytes=0-9"},
		"a range by a tag of ours":     {`GET Accept-Encoding: gzip|Range: bytes=0-9|If-Range: W/"a~gzip"`, "If-Range", `W/"a~gzip"`},
		"no range by a date":           {"GET Accept-Encoding: gzip|Range: bytes=0-9|If-Range: Wed, 21 Oct 2015 07:28:00 GMT", "Range", ""},
		"and no date":                  {"GET Accept-Encoding: gzip|Range: bytes=0-9|If-Range: Wed, 21 Oct 2015 07:28:00 GMT", "If-Range", ""},
		"a range by a date of a plain": {"GET Accept-Encoding: identity|Range: bytes=0-9|If-Range: Wed, 21 Oct 2015 07:28:00 GMT", "Range", "bytes=0-9"},
	} {
		var seen http.Header
		newRoute(t, on, store(`"abc"`, &seen)).ask(t, test.request)
		if got := seen.Get(test.field); got != test.want {
			t.Errorf("%s: the target sees %s, want %s", name, got, test.want)
		}
	}
}

// A shared cache asks by the tags of all its copies. It is told of one that the
// client can read, the best of them.
func TestManyCopies(t *testing.T) {
	const all = `W/"abc~gzip", W/"abc~br", "abc", W/"old~zstd"`
	for accept, want := range map[string]string{
		"gzip":                   `304 W/"abc~gzip"`,
		"gzip;q=0.5, br":         `304 W/"abc~br"`,
		"br;q=0.5, gzip":         `304 W/"abc~gzip"`,
		"":                       `304 "abc"`,
		"zstd":                   `304 "abc"`,
		"zstd, gzip;q=0.5":       `304 "abc"`,
		"identity, gzip;q=0.001": `304 "abc"`,
	} {
		var seen http.Header
		rec, _ := newRoute(t, on, store(`"abc"`, &seen)).ask(t, "GET Accept-Encoding: "+accept+"|If-None-Match: "+all)
		if got := strings.TrimSpace(http.StatusText(rec.Code)); rec.Code != 304 || "304 "+rec.Header().Get("Etag") != want {
			t.Errorf("%q: %s %s, want %s", accept, got, rec.Header().Get("Etag"), want)
		}
	}
}

func TestTags(t *testing.T) {
	for _, tag := range []string{`"a"`, `""`, `W/"a"`, `W/""`, `"a~gzip"`, `W/"a~gzip"`, `"~"`, `"é"`, `"a,b"`, `"a b"`} {
		for c := gzip; c < codings; c++ {
			coded, ok := codedTag(tag, c)
			plain, of, back := plainTag(coded)
			if !ok || !back || plain != tag || of != c || !strings.HasPrefix(coded, "W/") || !isOpaque(coded[2:]) {
				t.Errorf("%s: %s, and back %s %v %v", tag, coded, plain, of, back)
			}
		}
	}
	for _, tag := range []string{``, `a`, `"`, `"a`, `a"`, `w/"a"`, `W/a`, `"a"b"`, "\"a\x7f\"", "\"a\tb\"", `*`} {
		if coded, ok := codedTag(tag, gzip); ok {
			t.Errorf("%q is no tag, and became %s", tag, coded)
		}
	}
}

// FuzzTags: what restore changes is a list of tags, and only its own are
// others afterwards.
func FuzzTags(f *testing.F) {
	for _, seed := range []string{`W/"a~gzip", "b"`, `W/"a~w~br",W/"a,b~zstd"`, `"x~gzip"`, `W/"~gzip"`, `*, W/"a~gzip"`, `W/"a~gzip`, `W/"a~gzip"W/"b~gzip"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, field string) {
		list, ours, ok := restore([]string{field}, everyCoding)
		if !ok {
			return
		}
		if len(ours) == 0 || list == "" {
			t.Fatalf("%q: %q of nothing", field, list)
		}
		again := list
		for _, own := range ours {
			if coded, ok := codedTag(own.plain, own.coding); !ok || coded != own.coded || !strings.Contains(field, own.coded) {
				t.Fatalf("%q: %+v", field, own)
			}
			if !strings.Contains(list, own.plain) {
				t.Fatalf("%q: %q lacks %s", field, list, own.plain)
			}
		}
		for again = strings.Trim(again, " \t,"); again != ""; again = strings.TrimLeft(again, " \t,") {
			n := tagLength(again)
			if n == 0 {
				t.Fatalf("%q: %q is no list", field, list)
			}
			again = again[n:]
		}
	})
}
