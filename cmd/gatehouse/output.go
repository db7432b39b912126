package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// print writes v as JSON where that was asked for, and calls text otherwise.
func (f *flags) print(cmd *cobra.Command, v any, text func()) error {
	if f.output != "json" {
		text()
		return nil
	}
	e := json.NewEncoder(cmd.OutOrStdout())
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func (f *flags) checkOutput() error {
	if f.output != "text" && f.output != "json" {
		return fmt.Errorf("unknown output %q: -o takes text or json", f.output)
	}
	return nil
}

// newTable returns a writer that lines columns up.
func newTable(w io.Writer) *tabwriter.Writer {
	return tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
}
