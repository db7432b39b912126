package function

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"gatehouse/config"
)

// Config is one entry of functions.
type Config struct {
	config.At
	Name        string                   `yaml:"-" key:"true"`
	Runtime     string                   `yaml:"runtime,required" enum:"provided|nodejs|python|http|wasm" doc:"what runs the code: provided (an executable that speaks the Runtime API), nodejs or python (a handler, on the interpreter of this machine), http (any web server), wasm (a WebAssembly module, within the gateway)"`
	Code        config.Path              `yaml:"code,required" doc:"a folder or a zip file with the code; what it holds when the configuration is loaded is what runs"`
	Handler     string                   `yaml:"handler" doc:"provided: the executable within the code, default bootstrap; nodejs and python: FILE.FUNCTION, such as index.handler; http: what starts the server, such as node server.js, default bootstrap; wasm: the module, default main.wasm"`
	Port        int                      `yaml:"port" default:"8080" range:"1..65535" doc:"http: where the server listens; it finds it in PORT"`
	Interpreter config.Path              `yaml:"interpreter" doc:"the interpreter of nodejs and python; default: node or python3, as found by PATH"`
	Description string                   `yaml:"description" doc:"what it is for"`
	Layers      []config.Path            `yaml:"layers" doc:"folders or zip files that are unpacked to /opt, later ones over earlier ones; at most 5"`
	Environment map[string]config.Secret `yaml:"environment" doc:"environment variables, never shown"`
	Memory      config.Size              `yaml:"memory" default:"128MiB" range:"16MiB..10GiB" doc:"memory of one process"`
	Tmp         config.Size              `yaml:"tmp" default:"512MiB" range:"1MiB..10GiB" doc:"what /tmp of one process takes, which is memory too"`
	CPU         float64                  `yaml:"cpu" default:"1" range:"0.05..64" doc:"processors that one process may use"`
	Timeout     config.Duration          `yaml:"timeout" default:"3s" range:"1ms..15m" doc:"how long one invoke may take; then its process is ended"`
	Init        config.Duration          `yaml:"init-timeout" default:"10s" range:"10ms..15m" doc:"how long a process may take to start"`
	Concurrency int                      `yaml:"concurrency" default:"10" range:"0..10000" doc:"invokes at once (reserved concurrency); 0 switches the function off"`
	Provisioned int                      `yaml:"provisioned" range:"0..10000" doc:"processes that are started before anybody asks, and kept"`
	Requests    int                      `yaml:"concurrent-requests" default:"1" range:"1..1000" doc:"invokes at once in one process: more than 1 gives up Lambda's promise that a process has one at a time"`
	Queue       config.Duration          `yaml:"queue" default:"1s" range:"0s..1m" doc:"how long an invoke may wait where all processes are busy, before it is 429; 0s for not at all"`
	Idle        config.Duration          `yaml:"idle" default:"5m" range:"100ms..24h" doc:"how long a process without work is kept"`
	Payload     string                   `yaml:"payload" default:"2.0" enum:"1.0|2.0" doc:"format of events where a route or a definition does not say: 1.0 (REST APIs) or 2.0 (HTTP APIs)"`
}

var (
	nameForm     = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	variableForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)
	handlerForm  = regexp.MustCompile(`^[A-Za-z0-9_./-]+\.[A-Za-z0-9_$]+$`)
)

// The bounds of a Config that its tags do not say.
const (
	maxLayers      = 5
	maxEnvironment = 4 << 10 // bytes of names and values
)

// Check implements config.Checker.
func (c *Config) Check(r *config.Report) {
	if !nameForm.MatchString(c.Name) {
		r.Errorf(c.Pos, "a function's name has up to 64 letters, digits, - and _, not %q", c.Name)
	}
	if len(c.Layers) > maxLayers {
		r.Errorf(c.Of("layers"), "a function has at most %d layers", maxLayers)
	}
	if processes := (c.Concurrency + c.Requests - 1) / max(c.Requests, 1); c.Provisioned > processes {
		r.Errorf(c.Of("provisioned"), "%d processes are kept, and concurrency: %d needs no more than %d", c.Provisioned, c.Concurrency, processes)
	}
	c.checkEnvironment(r)
	c.checkCode(r)
	c.checkHandler(r)
}

func (c *Config) checkEnvironment(r *config.Report) {
	size := 0
	for name, value := range c.Environment {
		size += len(name) + len(value.Reveal())
		switch {
		case !variableForm.MatchString(name):
			r.Errorf(c.Of("environment"), "%q is no name of a variable: letters, digits and _, a letter first", name)
		case isReserved(name):
			r.Errorf(c.Of("environment"), "%s is the gateway's to set", name)
		case strings.ContainsRune(value.Reveal(), 0):
			r.Errorf(c.Of("environment"), "the value of %s holds a NUL", name)
		}
	}
	if size > maxEnvironment {
		r.Errorf(c.Of("environment"), "the variables come to %d bytes: at most %d", size, maxEnvironment)
	}
}

// checkCode looks whether the code is there; what it holds is read when the
// configuration comes into force.
func (c *Config) checkCode(r *config.Report) {
	for i, p := range append([]config.Path{c.Code}, c.Layers...) {
		if p.Value == "" {
			continue // which has been reported
		}
		what := "code"
		if i > 0 {
			what = "layer"
		}
		info, err := os.Stat(p.Value)
		switch {
		case err != nil:
			r.Errorf(p.At, "there is no %s at %s: write a folder or a zip file", what, p.Value)
		case !info.IsDir() && !(info.Mode().IsRegular() && strings.EqualFold(filepath.Ext(p.Value), ".zip")):
			r.Errorf(p.At, "%s is neither a folder nor a zip file", p.Value)
		}
	}
}

func (c *Config) checkHandler(r *config.Report) {
	switch {
	case c.Broken("runtime") || c.Broken("handler"):
	case c.Runtime == HTTP && c.Port == 9001:
		r.Errorf(c.Of("port"), "port 9001 is the Runtime API's")
	case c.Runtime == WASM && c.Requests > 1:
		r.Errorf(c.Of("concurrent-requests"), "a module has an instance for each invoke")
	case c.Runtime != Provided && c.Runtime != HTTP && c.Runtime != WASM && !handlerForm.MatchString(c.Handler):
		r.Errorf(c.Of("handler"), "a handler of %s is written FILE.FUNCTION, such as index.handler", c.Runtime)
	case (c.Runtime == Provided || c.Runtime == WASM) && c.Handler != "" && !filepath.IsLocal(c.Handler):
		r.Errorf(c.Of("handler"), "the executable is a file within the code, not %q", c.Handler)
	case strings.Contains(c.Handler, ".."):
		r.Errorf(c.Of("handler"), "a handler is within the code, not %q", c.Handler)
	}
	if (c.Runtime == Provided || c.Runtime == HTTP) && c.Interpreter.Value != "" {
		r.Errorf(c.Of("interpreter"), "an interpreter is for nodejs and python")
	}
	if c.Has("port") && c.Runtime != HTTP {
		r.Errorf(c.Of("port"), "a port is for runtime: http")
	}
	if c.Runtime == HTTP && c.Has("payload") {
		r.Errorf(c.Of("payload"), "a web server gets requests, not events: remove payload")
	}
	if c.Requests > 1 && c.Runtime == "python" {
		r.Errorf(c.Of("concurrent-requests"), "the python runtime takes one invoke at a time")
	}
}

// The runtimes.
const (
	Provided = "provided"
	NodeJS   = "nodejs"
	Python   = "python"
	HTTP     = "http"
	WASM     = "wasm"
)

// isReserved reports variables that the gateway sets itself.
func isReserved(name string) bool {
	switch name {
	case "AWS_LAMBDA_RUNTIME_API", "_HANDLER", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV", "_X_AMZN_TRACE_ID":
		return true
	}
	return strings.HasPrefix(name, "AWS_LAMBDA_")
}
