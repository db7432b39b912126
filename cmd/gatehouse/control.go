package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"gatehouse"
	"gatehouse/admin"
	"gatehouse/config"
	"gatehouse/observe/recent"
)

// client returns a client of the gateway that runs by the configuration.
func (f *flags) client(cmd *cobra.Command) (*admin.Client, error) {
	data, err := f.data(cmd)
	if data == "" {
		return nil, found(err)
	}
	return admin.Dial(data), nil // a file that is broken by now still names the folder
}

// data returns the data folder of the configuration, also of one that is
// broken; the default one where it is so broken that nothing can be read of it;
// that of run --to where there is no file and none was named.
func (f *flags) data(cmd *cobra.Command) (string, error) {
	_, missing := os.Stat(f.config)
	if errors.Is(missing, fs.ErrNotExist) && !cmd.Flags().Changed("config") {
		return gatehouse.BeforeData()
	}
	cfg, err := gatehouse.Load(f.config)
	if cfg.Data.Value == "" && missing == nil {
		return filepath.Join(filepath.Dir(f.config), "data"), err
	}
	return cfg.Data.Value, err
}

func newReload(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:     "reload",
		Short:   "Make the running gateway load its configuration anew",
		Example: "  gatehouse reload -c shop/gatehouse.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.client(cmd)
			if err != nil {
				return err
			}
			changes := []gatehouse.Change{}
			if err := c.Reload(cmd.Context(), &changes); err != nil {
				return f.refused(cmd, err)
			}
			return f.print(cmd, changes, func() { printChanges(cmd.OutOrStdout(), "reloaded", changes) })
		},
	}
}

func newPlan(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:     "plan",
		Short:   "Show by route what a reload would change",
		Long:    "Show by route what would change if the running gateway had this configuration, which\nit reads itself, with its own environment. Since the gateway's own file is in force\na moment after it was saved, say with -c another one beside it, with the same data\nfolder.",
		Example: "  gatehouse plan -c next.yaml && mv next.yaml gatehouse.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.client(cmd)
			if err != nil {
				return err
			}
			file, err := filepath.Abs(f.config)
			if err != nil {
				return found(err)
			}
			changes := []gatehouse.Change{}
			if err := c.Plan(cmd.Context(), file, &changes); err != nil {
				return f.refused(cmd, err)
			}
			return f.print(cmd, changes, func() { printChanges(cmd.OutOrStdout(), "planned", changes) })
		},
	}
}

// refused reports an error of the running gateway.
func (f *flags) refused(cmd *cobra.Command, err error) error {
	var problems *admin.Error
	if f.output != "json" || !errors.As(err, &problems) {
		return found(err)
	}
	if err := f.print(cmd, problems, func() {}); err != nil {
		return err
	}
	return &foundError{}
}

func printChanges(w io.Writer, done string, changes []gatehouse.Change) {
	if len(changes) == 0 {
		fmt.Fprintf(w, "%s: no route changes\n", done)
		return
	}
	signs := map[string]string{"added": "+", "removed": "-", "changed": "~"}
	for _, c := range changes {
		fmt.Fprintf(w, "%s %s/%s  %s", signs[c.Kind], c.API, c.Stage, narrowed(c.Route, c.Conditions))
		if len(c.Sections) > 0 {
			fmt.Fprintf(w, "  (%s)", strings.Join(c.Sections, ", "))
		}
		fmt.Fprintln(w)
	}
}

func newExplain(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:     "explain REQUEST-ID",
		Short:   "Print what every filter decided about a recent request, and by which line",
		Long:    "Print the trail of a recent request. Its id is the answer's x-amzn-requestid,\nand requestId in the access log. Without an id: the last requests.",
		Example: "  gatehouse explain 6f9619ff-8b86-4d01-b42d-00cf4fc964ff",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.client(cmd)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return f.recent(cmd, c)
			}
			var raw json.RawMessage
			if err := c.Explain(cmd.Context(), args[0], &raw); err != nil {
				return found(err)
			}
			var entry recent.Entry
			if err := json.Unmarshal(raw, &entry); err != nil {
				return found(err)
			}
			return f.print(cmd, raw, func() { _ = entry.WriteText(cmd.OutOrStdout(), isTerminal(cmd.OutOrStdout())) })
		},
	}
}

// recent prints the last requests. As JSON they are printed as the gateway sent
// them: it has escaped what a terminal might obey.
func (f *flags) recent(cmd *cobra.Command, c *admin.Client) error {
	var raw json.RawMessage
	if err := c.Recent(cmd.Context(), 20, &raw); err != nil {
		return found(err)
	}
	var entries []*recent.Entry
	if err := json.Unmarshal(raw, &entries); err != nil {
		return found(err)
	}
	return f.print(cmd, raw, func() { _ = recent.WriteList(cmd.OutOrStdout(), entries) })
}

func newRoutes(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:     "routes",
		Short:   "Print the table of routes, with each route's chain where the gateway runs",
		Example: "  gatehouse routes -c shop/gatehouse.yaml -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			routes, err := f.routes(cmd)
			if err != nil {
				return err
			}
			for i := range routes {
				routes[i].Digests = nil // of secrets too, and nobody's to read
			}
			return f.print(cmd, routes, func() { printRoutes(cmd.OutOrStdout(), routes) })
		},
	}
}

// routes returns the table of the running gateway, whatever has become of the
// file since, or else that of the file.
func (f *flags) routes(cmd *cobra.Command) (routes []gatehouse.RouteInfo, err error) {
	cfg, broken := gatehouse.Load(f.config)
	if cfg.Data.Value == "" {
		return nil, f.problems(cmd, broken)
	}
	var notRunning *admin.NotRunning
	err = admin.Dial(cfg.Data.Value).Routes(cmd.Context(), &routes)
	switch {
	case !errors.As(err, &notRunning):
		return routes, found(err)
	case broken != nil:
		return nil, f.problems(cmd, broken)
	}
	return cfg.Routes(), nil
}

func printRoutes(w io.Writer, routes []gatehouse.RouteInfo) {
	t := newTable(w)
	fmt.Fprintln(t, "API\tSTAGE\tROUTE\tAUTHORIZE\tTARGET\tCHAIN")
	for _, r := range routes {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", r.API, r.Stage, withPrefix(r), r.Authorize, r.Target, strings.Join(r.Chain, " > "))
	}
	_ = t.Flush()
}

func withPrefix(r gatehouse.RouteInfo) string {
	method, path, _ := strings.Cut(r.Route, " ")
	return narrowed(method+" "+r.Prefix+path, r.Conditions)
}

// narrowed writes the conditions behind a route that has some.
func narrowed(route, conditions string) string {
	if conditions == "" {
		return route
	}
	return route + " [" + conditions + "]"
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

var _ admin.Problems = (*config.Errors)(nil)
