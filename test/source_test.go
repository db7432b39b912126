package test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// The files that may do what others must not, each with the reason.
var (
	// starters may start goroutines, or have the runtime start one later.
	starters = map[string]string{
		"gateway.go":                        "the watch over the configuration's files",
		"cmd/gatehouse/run.go":              "signals",
		"cmd/gatehouse/restart.go":          "the wait for a process that was started",
		"takeover/give.go":                  "a stop ends the wait for the process that takes over",
		"admin/control.go":                  "keeper: the control socket's accept loop",
		"admin/listener.go":                 "keeper: the admin listener's accept loop",
		"edge/acme/work.go":                 "keeper: one for each name, counted so that they can be waited for",
		"edge/acme/managed.go":              "keeper: obtaining and renewing the certificate of one name",
		"edge/body.go":                      "keeper: a stream's body that stalls is ended by a timer",
		"edge/listener.go":                  "keeper: a listener's accept loop",
		"edge/listeners.go":                 "keeper: the end of a retired listener",
		"edge/engine.go":                    "keeper: connections and their ends",
		"edge/welcome.go":                   "keeper: PROXY headers and TLS handshakes, before there is a request",
		"edge/writer.go":                    "keeper: a stream that is not read is ended by a timer",
		"auth/jwt/remote.go":                "keeper: fetching keys",
		"balance/gate.go":                   "upstream's keeper: a line that nobody leaves for is looked at",
		"dial/dns/exchange.go":              "a question is given up when its context ends",
		"http1/watch.go":                    "who asks to be told when the client goes away",
		"mirror/keeper.go":                  "keeper: sending copies of requests",
		"observe/audit/refusals.go":         "keeper: writing down who was refused",
		"observe/accesslog/file.go":         "keeper: writing the access log",
		"observe/sampler/sampler.go":        "keeper: sampling metrics, and looking after their store",
		"observe/scrape/scrape.go":          "keeper: fetching metrics of services",
		"secrets/keeper.go":                 "keeper: keys take turns",
		"state/store.go":                    "keeper: following the engine",
		"state/write.go":                    "keeper: what waits for an engine that is gone is given up",
		"usage/keeper.go":                   "keeper: storing counts of quotas",
		"waf/crawler/keeper.go":             "keeper: asking DNS who a crawler is",
		"upstream/clock.go":                 "a request that takes long is given up when its client goes",
		"upstream/target/drain.go":          "keeper: what a drain has left is cut off",
		"upstream/target/endpoint.go":       "keeper: idle connections grow old",
		"upstream/target/group.go":          "keeper: resolving names",
		"upstream/target/watch.go":          "keeper: health checks",
		"tunnel/keeper.go":                  "keeper: a drain ends tunnels one after the other",
		"tunnel/tunnel.go":                  "keeper: a tunnel's other direction, and the end of its time",
		"upstream/hints2.go":                "Early Hints come on a connection that many share, and must not wait for a client",
		"upstream/sent2.go":                 "who waits for a body's end looks again",
		"upstream/watch2.go":                "a request by HTTP/2 that takes too long is given up",
		"upstream/target/http2.go":          "keeper: what a drain has left by HTTP/2 ends",
		"upstream/upload.go":                "a large body is sent while its answer is awaited",
		"function/adapter/adapter.go":       "a process of its own: the server beside it, and its loops",
		"function/instance.go":              "keeper: processes, their words and their connections",
		"function/keeper.go":                "keeper: looking for processes that are idle",
		"function/life.go":                  "keeper: starting a process",
		"function/log.go":                   "keeper: lines are written soon",
		"function/pool.go":                  "keeper: the ends of waits",
		"function/worker.go":                "keeper: the end of an invoke's time",
		"function/sandbox/sandbox_linux.go": "keeper: the thread that processes are started from",
		"function/sandbox/nursery_linux.go": "keeper: the thread that processes are started from",
		"function/sandbox/spares_linux.go":  "keeper: the next stage is started before it is needed",
		"function/sandbox/start_linux.go":   "keeper: a start is given up, and a process waited for",
	}
	// listeners may listen.
	listeners = map[string]string{
		"admin/control.go":  "keeper: the control socket",
		"admin/listener.go": "keeper: the admin listener",
		"edge/listeners.go": "keeper: listeners",
	}
	// dialers may connect.
	dialers = map[string]string{
		"dial/dial.go":         "the one way out",
		"dial/answer.go":       "whether there is a way to an address: nothing is sent",
		"dial/dns/exchange.go": "questions over UDP to the DNS servers that the operator names",
		"admin/client.go":      "the command asks the gateway by its control socket",

		"function/adapter/adapter.go": "a process of its own, which asks the server beside it",
		"takeover/notify.go":          "keeper: the service manager is told by its own socket",
		"importer/live/probe.go":      "init looks at the services that its user names",
	}
	// writers may stand between a handler and the engine's ResponseWriter.
	writers = map[string]string{
		"exchange/writer.go": "the one Writer",
		"http1/answer.go":    "the engine's own",
		"mirror/letter.go":   "no handler's but an end of its own: where answers to copies go",
		"exchange/tunnel.go": "what is left of it when its connection was taken over",
		"edge/connect.go":    "below it: a tunnel within an HTTP/2 connection",
		"edge/writer.go":     "below it: how long an HTTP/2 stream may wait to be read",
	}
)

// source is one file of the product, and what its package declares.
type source struct {
	t         *testing.T
	path      string // from the root
	fset      *token.FileSet
	file      *ast.File
	variables map[string]bool // of the package
}

func (s *source) errorf(n ast.Node, format string, args ...any) {
	s.t.Errorf("%s: "+format, append([]any{s.fset.Position(n.Pos())}, args...)...)
}

func TestArchitectureSource(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	unused := make(map[string]bool)
	for _, list := range []map[string]string{starters, listeners, dialers, writers} {
		for path := range list {
			unused[path] = true
		}
	}
	for _, p := range packages(t) {
		name, _ := room(p.ImportPath)
		for _, s := range parse(t, root, p) {
			delete(unused, s.path)
			s.noInit()
			if name != "bench" && name != "examples" && name != "test" {
				s.check()
			}
		}
	}
	for path := range unused {
		t.Errorf("%s is allowed something, and is not there", path)
	}
}

func parse(t *testing.T, root string, p pkg) []*source {
	t.Helper()
	var out []*source
	variables := make(map[string]bool)
	for _, name := range p.GoFiles {
		path := filepath.Join(p.Dir, name)
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		short, err := filepath.Rel(root, path)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range packageVariables(file) {
			for _, name := range spec.Names {
				variables[name.Name] = name.Name != "_"
			}
		}
		out = append(out, &source{t, filepath.ToSlash(short), fset, file, variables})
	}
	return out
}

func packageVariables(file *ast.File) []*ast.ValueSpec {
	var out []*ast.ValueSpec
	for _, d := range file.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.VAR {
			for _, spec := range g.Specs {
				out = append(out, spec.(*ast.ValueSpec))
			}
		}
	}
	return out
}

func (s *source) noInit() {
	for _, d := range s.file.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			s.errorf(fn, "no init(): what a package needs is made by its New")
		}
	}
}

func (s *source) check() {
	for _, v := range packageVariables(s.file) {
		if len(v.Values) == 0 && v.Names[0].Name != "_" && !isEmbedded(v) && s.path != "cmd/gatehouse/main.go" { // the linker's version
			s.errorf(v, "the package variable %s has no value of its own: what changes belongs into a struct", v.Names[0].Name)
		}
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			s.only(n, starters, "only keepers start goroutines: what serves a request works on its own")
		case *ast.CallExpr:
			s.call(n)
		case *ast.SelectorExpr:
			s.selector(n)
		case *ast.AssignStmt:
			for _, left := range n.Lhs {
				s.unchanged(left)
			}
		case *ast.IncDecStmt:
			s.unchanged(n.X)
		case *ast.StructType:
			s.fields(n)
		case *ast.FuncDecl:
			if n.Recv != nil && n.Name.Name == "WriteHeader" {
				s.only(n, writers, "no filter wraps the ResponseWriter: hooks and body filters do what it would")
			}
		}
		return true
	})
}

// isEmbedded reports a variable that the compiler fills from a file.
func isEmbedded(v *ast.ValueSpec) bool {
	return v.Doc != nil && strings.HasPrefix(v.Doc.List[0].Text, "//go:embed ")
}

// only refuses what n does in all files but those of a list.
func (s *source) only(n ast.Node, allowed map[string]string, reason string) {
	if allowed[s.path] == "" {
		s.errorf(n, "%s", reason)
	}
}

func (s *source) call(n *ast.CallExpr) {
	f, ok := n.Fun.(*ast.SelectorExpr)
	if !ok {
		return
	}
	if f.Sel.Name == "AfterFunc" || f.Sel.Name == "Go" {
		s.only(n, starters, "only keepers have goroutines started")
	}
}

// selector looks at what a file takes from packages of the standard library.
func (s *source) selector(n *ast.SelectorExpr) {
	x, ok := n.X.(*ast.Ident)
	if !ok || x.Obj != nil {
		return
	}
	switch name := x.Name + "." + n.Sel.Name; {
	case name == "http.Error":
		s.errorf(n, "no http.Error: exchange.Refuse alone writes the gateway's own answers")
	case name == "net.ListenConfig", strings.HasPrefix(name, "net.Listen") && !strings.HasPrefix(name, "net.Listener"), name == "tls.Listen", name == "http.ListenAndServe":
		s.only(n, listeners, "only keepers listen")
	case strings.HasPrefix(name, "net.Dial"), strings.HasPrefix(name, "tls.Dial"), name == "http.Get", name == "http.Post", name == "http.DefaultClient", name == "http.DefaultTransport":
		s.only(n, dialers, "one dialer goes out: dial knows whom nobody may reach")
	}
}

// unchanged refuses an assignment to a package variable, or to a part of it.
func (s *source) unchanged(left ast.Expr) {
	for {
		switch x := left.(type) {
		case *ast.IndexExpr:
			left = x.X
		case *ast.SelectorExpr:
			left = x.X
		case *ast.StarExpr:
			left = x.X
		case *ast.ParenExpr:
			left = x.X
		case *ast.Ident:
			if s.variables[x.Name] && s.ofPackage(x) {
				s.errorf(x, "the package variable %s changes: what changes belongs into a struct", x.Name)
			}
			return
		default:
			return
		}
	}
}

// ofPackage reports whether a name means what the package declares: the parser
// resolves what a function declares, and what this file does.
func (s *source) ofPackage(x *ast.Ident) bool {
	if x.Obj == nil {
		return true
	}
	spec, ok := x.Obj.Decl.(*ast.ValueSpec)
	if !ok {
		return false
	}
	for _, v := range packageVariables(s.file) {
		if v == spec {
			return true
		}
	}
	return false
}

func (s *source) fields(n *ast.StructType) {
	for _, field := range n.Fields.List {
		if t, ok := field.Type.(*ast.SelectorExpr); ok && len(field.Names) == 0 && t.Sel.Name == "ResponseWriter" {
			s.only(field, writers, "no filter wraps the ResponseWriter: hooks and body filters do what it would")
		}
	}
}
