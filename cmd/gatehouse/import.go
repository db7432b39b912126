package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"gatehouse"
	"gatehouse/importer"
	"gatehouse/importer/kong"
	"gatehouse/importer/nginx"
	"gatehouse/importer/openapi"
)

// importFlags say where the result goes.
type importFlags struct {
	*flags
	out   string
	force bool
}

func newImport(f *flags) *cobra.Command {
	i := &importFlags{flags: f}
	cmd := &cobra.Command{
		Use:     "import",
		Short:   "Make a configuration of another program's",
		Long:    "Make a configuration of what another program reads. It goes to standard output, or\nto --out; what could not be carried over stands in it as a comment with its line,\nand on standard error. Every route says who may call: authorize: none only where\nthe source asked nobody.",
		Example: "  gatehouse import nginx /etc/nginx/nginx.conf --out gatehouse.yaml\n  gatehouse import kong kong.yaml > gatehouse.yaml\n  gatehouse import openapi shop.openapi.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return errors.New("say what to import: nginx, kong or openapi")
		},
	}
	cmd.PersistentFlags().StringVar(&i.out, "out", "", "file to write, in place of standard output")
	cmd.PersistentFlags().BoolVar(&i.force, "force", false, "write over a file that is there")
	cmd.AddCommand(
		i.from("nginx FILE", "Make a configuration of nginx's", "  gatehouse import nginx /etc/nginx/nginx.conf --out gatehouse.yaml", func(file string) (importer.Result, error) {
			return nginx.Convert(file, nginx.Disk())
		}),
		i.fromOpenAPI(),
		i.from("kong FILE", "Make a configuration of Kong's declarative one", "  gatehouse import kong kong.yaml > gatehouse.yaml", kong.ConvertFile),
	)
	return cmd
}

// fromOpenAPI is the import of a document, which stays the definition or becomes
// routes.
func (i *importFlags) fromOpenAPI() *cobra.Command {
	inline := false
	cmd := i.from("openapi FILE", "Put a gateway before the service that an OpenAPI document describes", "  gatehouse import openapi shop.openapi.yaml --out gatehouse.yaml", func(file string) (importer.Result, error) {
		if inline {
			return openapi.ConvertFileInline(file)
		}
		return openapi.ConvertFile(file, filepath.Dir(i.out))
	})
	cmd.Flags().BoolVar(&inline, "inline", false, "write a route for each operation, in place of a definition that is read anew")
	return cmd
}

// from is the import of one kind of file.
func (i *importFlags) from(use, short, example string, convert func(file string) (importer.Result, error)) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Example: example,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			result, err := convert(args[0])
			if err != nil {
				return found(err)
			}
			return i.deliver(cmd, result)
		},
	}
}

// deliver checks and writes a result.
func (i *importFlags) deliver(cmd *cobra.Command, r importer.Result) error {
	name := i.out
	if name == "" {
		name = "gatehouse.yaml" // as which it will be read
	}
	_, problems := gatehouse.LoadText(name, r.Text)
	if i.out != "" {
		if err := writeNew(i.out, r.Text, i.force); err != nil {
			return found(err)
		}
	}
	i.report(cmd.ErrOrStderr(), r)
	if problems != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "\nThe result needs your hand:\n%v\n", problems)
	}
	document := struct {
		Config    string          `json:"config"`
		Notes     []importer.Note `json:"notes"`
		Published []string        `json:"published"`
		Closed    []string        `json:"closed"`
		OK        bool            `json:"ok"`
	}{string(r.Text), list(r.Notes), list(r.Published), list(r.Closed), problems == nil}
	err := i.print(cmd, document, func() {
		if i.out == "" {
			_, _ = cmd.OutOrStdout().Write(r.Text)
		}
	})
	if err == nil && problems != nil {
		return &foundError{}
	}
	return err
}

func list[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}

// report says on standard error what to look at.
func (i *importFlags) report(w io.Writer, r importer.Result) {
	grave := 0
	for _, n := range r.Notes {
		if n.Grave {
			grave++
		}
		fmt.Fprintln(w, n)
	}
	if len(r.Notes) > 0 {
		fmt.Fprintf(w, "\nNot carried over as it was: %d, which stand in the result as comments.\n", len(r.Notes))
	}
	if grave > 0 {
		fmt.Fprintf(w, "Of these, what KEPT STRANGERS OUT (%d):\n", grave)
		for _, n := range r.Notes {
			if n.Grave {
				fmt.Fprintln(w, "  "+n.String())
			}
		}
	}
	few(w, "CLOSED until you decide who may call: what the source asked for has no counterpart here", r.Closed)
	few(w, "OPEN to everybody (authorize: none), as in the source", r.Published)
	if i.out != "" {
		fmt.Fprintf(w, "wrote %s\n", i.out)
	}
}

// few prints a list that may be long.
func few(w io.Writer, what string, all []string) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(w, "%s (%d):\n", what, len(all))
	for n, item := range all {
		if n == 10 {
			fmt.Fprintf(w, "  ... and %d more\n", len(all)-n)
			return
		}
		fmt.Fprintln(w, "  "+item)
	}
}

// writeNew writes a file whole or not at all, and none that is there unless told.
func writeNew(path string, text []byte, force bool) error {
	if info, err := os.Lstat(path); err == nil && !force {
		return fmt.Errorf("%s is there already: --force writes over it, --out names another file", path)
	} else if err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no file", path)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".gatehouse-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	_, err = tmp.Write(text)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Close())
	if err != nil {
		return err
	}
	if force {
		return os.Rename(tmp.Name(), path)
	}
	if err := os.Link(tmp.Name(), path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s is there already: --force writes over it, --out names another file", path)
		}
		return os.Rename(tmp.Name(), path) // a file system without links
	}
	return nil
}
