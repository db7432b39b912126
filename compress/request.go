package compress

import (
	"net/http"
	"strings"

	"gatehouse/exchange"
)

// Plain returns the filter that makes requests ready for a target whose answers
// New codes; nil where cfg is nil or off. It stands behind everybody who
// verifies the request as it was sent, such as a signature's fields.
//
// The target is asked for a plain body; one that codes it nevertheless is
// passed on. Entity tags that New made become the target's own again, so that
// conditions hold; a 304 gets the tag by which the client knows its copy.
func Plain(cfg *Config) func(http.Handler) http.Handler {
	if cfg == nil || cfg.Off {
		return nil
	}
	offers := offersOf(cfg)
	return func(next http.Handler) http.Handler {
		return &plain{offers: offers, next: next}
	}
}

type plain struct {
	offers []coding
	next   http.Handler
}

// plainly is Accept-Encoding as targets get it, shared by all requests.
var plainly = []string{"identity"}

func (f *plain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !passesBy(r) {
		f.prepare(r)
		r.Header["Accept-Encoding"] = plainly
	}
	f.next.ServeHTTP(w, r)
}

func (f *plain) prepare(r *http.Request) {
	if hasMark(r.Header["If-Match"]) {
		// Whether the resource is still as the client saw it: in which coding it
		// saw it does not matter.
		if list, _, ok := restore(r.Header["If-Match"], everyCoding); ok {
			r.Header["If-Match"] = []string{list}
		}
	}
	if hasMark(r.Header["If-None-Match"]) {
		f.prepareNoneMatch(r)
	}
	if len(r.Header["Range"]) > 0 {
		f.prepareRange(r)
	}
}

func everyCoding(coding) bool { return true }

// prepareNoneMatch turns back the tags of copies that the client can read. A
// shared cache asks by the tags of all its copies, also those that only its
// other clients can read: a 304 for one of them would make it answer with that.
func (f *plain) prepareNoneMatch(r *http.Request) {
	accept := parseAccept(r.Header["Accept-Encoding"])
	wanted := everyCoding
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	if reads {
		wanted = func(c coding) bool { return accept.takes(c) > 0 }
	}
	sent := r.Header["If-None-Match"]
	list, ours, ok := restore(sent, wanted)
	if !ok {
		return
	}
	r.Header["If-None-Match"] = []string{list}
	if reads {
		best := accept.choose(f.offers)
		exchange.From(r).OnHead(func(h *exchange.Head) { known(h, ours, best, sent) })
	}
}

// known gives a 304 the tag of the client's copy: of its best one where it has
// several.
func known(h *exchange.Head, ours []tag, best coding, sent []string) {
	tags := h.Header["Etag"]
	if h.Status != http.StatusNotModified || len(tags) != 1 {
		return
	}
	var found tag
	for _, t := range ours {
		if sameTag(t.plain, tags[0]) && (found.coded == "" || t.coding == best) {
			found = t
		}
	}
	if found.coded == "" || found.coding != best && lists(sent, tags[0]) {
		return // it is the plain copy that it means
	}
	h.Header["Etag"] = []string{found.coded}
}

// prepareRange leaves out a range whose client may have the first part of a
// coded body: a date does not say in which coding, and the rest that the target
// would send is plain. RFC 9110 section 14.2 lets a range be ignored.
func (f *plain) prepareRange(r *http.Request) {
	condition := first(r.Header["If-Range"])
	if condition == "" || strings.HasSuffix(condition, `"`) {
		return // ours are weak, and so never hold (RFC 9110 section 13.1.5)
	}
	if accept := parseAccept(r.Header["Accept-Encoding"]); accept.choose(f.offers) != identity {
		delete(r.Header, "Range")
		delete(r.Header, "If-Range")
	}
}
