package observe

import (
	"errors"
	"log/slog"

	"gatehouse/config"
	"gatehouse/observe/accesslog"
)

// LogConfig is the log section.
type LogConfig struct {
	config.At
	Access Destination `yaml:"access" doc:"where the access log goes: a file, stdout (the default), or off"`
	Format string      `yaml:"format" default:"json" doc:"json, or text with variables in the names of API Gateway: $context.requestId $context.status"`
	Query  bool        `yaml:"query" doc:"whether the json format prints query strings too, credentials in them redacted"`
	Level  string      `yaml:"level" default:"info" enum:"debug|info|warn|error" doc:"least severity of what the gateway says of itself, on stderr"`
}

// Check implements config.Checker.
func (c LogConfig) Check(r *config.Report) {
	_, errs := c.compile()
	for _, err := range errs {
		var unknown *accesslog.Unknown
		if errors.As(err, &unknown) {
			r.Unknown(c.Of("format"), "variable of $context", unknown.Name, accesslog.Names())
			continue
		}
		r.Errorf(c.Of("format"), "%v", err)
	}
}

// compile returns the format; for a section that no file says, the default one.
func (c LogConfig) compile() (*accesslog.Format, []error) {
	format := c.Format
	if format == "" {
		format = accesslog.JSON
	}
	return accesslog.Compile(format, accesslog.Options{Query: c.Query})
}

// SlogLevel returns the level for the gateway's own log.
func (c LogConfig) SlogLevel() slog.Level {
	switch c.Level {
	case "debug":
		return slog.LevelDebug
	case "warn":
		return slog.LevelWarn
	case "error":
		return slog.LevelError
	}
	return slog.LevelInfo
}

// Destination is where the access log goes.
type Destination struct {
	Path string // absolute, accesslog.Stdout or accesslog.Off; "" for stdout
	At   config.Pos
}

// UnmarshalConfig reads stdout, off or a path, which is relative to the file
// that says it.
func (d *Destination) UnmarshalConfig(n *config.Node) {
	d.At = n.Pos()
	text, ok := n.Text()
	switch {
	case !ok || text == "":
		n.Errorf("write a file's path, stdout or off")
	case text == accesslog.Stdout || text == accesslog.Off:
		d.Path = text
	default:
		var path config.Path
		if n.Decode(&path) {
			d.Path = path.Value
		}
	}
}

// ConfigSchema implements config.Schemer.
func (Destination) ConfigSchema() *config.Schema {
	return &config.Schema{Type: "string", Default: accesslog.Stdout, Examples: []any{"./data/access.log", accesslog.Stdout, accesslog.Off}}
}

func (d Destination) path() string {
	if d.Path == "" {
		return accesslog.Stdout
	}
	return d.Path
}
