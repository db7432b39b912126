package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"gatehouse"
	"gatehouse/state"
)

func newState(f *flags) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "state",
		Short:   "Export, import and rekey what the running gateway keeps",
		Example: "  gatehouse state export --passphrase-file F > state.export",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newStateExport(f), newStateImport(f), newStateRekey(f))
	return cmd
}

func newStateExport(f *flags) *cobra.Command {
	var phrase string
	cmd := &cobra.Command{
		Use:     "export",
		Short:   "Print all of the state, encrypted with a passphrase",
		Long:    "Print API keys, their use, revocations and secrets, encrypted with a passphrase. The\nexport can be imported by a gateway with another master key.",
		Example: "  gatehouse state export --passphrase-file F > state.export",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			secret, err := readSecret(cmd, phrase)
			if err != nil {
				return found(err)
			}
			var out gatehouse.Sealed
			if err := f.act(cmd, "state/export", gatehouse.Sealed{Passphrase: secret}, &out); err != nil {
				return err
			}
			if f.output == "text" && isTerminal(cmd.OutOrStdout()) {
				return errors.New("an export is no text: send it to a file")
			}
			return f.print(cmd, out, func() { _, _ = cmd.OutOrStdout().Write(out.Export) })
		},
	}
	cmd.Flags().StringVar(&phrase, "passphrase-file", "", "file with the passphrase, or - for standard input (required)")
	_ = cmd.MarkFlagRequired("passphrase-file")
	return cmd
}

func newStateImport(f *flags) *cobra.Command {
	var in gatehouse.Sealed
	var phrase string
	cmd := &cobra.Command{
		Use:     "import FILE",
		Short:   "Store what an export holds",
		Long:    "Store what an export holds. Where something is there already with another value,\nnothing is changed, unless --overwrite is said.",
		Example: "  gatehouse state import --passphrase-file F state.export",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if in.Passphrase, err = readSecret(cmd, phrase); err != nil {
				return found(err)
			}
			if in.Export, err = readExport(args[0]); err != nil {
				return found(err)
			}
			var done state.Imported
			if err := f.act(cmd, "state/import", in, &done); err != nil {
				return err
			}
			return f.print(cmd, done, func() {
				fmt.Fprintf(cmd.OutOrStdout(), "%d of %d rows were written\n", done.Written, done.Rows)
				if done.Kept > 0 {
					fmt.Fprintf(cmd.OutOrStdout(), "%d secrets of this gateway's own stay as they are here: --overwrite replaces them\n", done.Kept)
				}
				if done.Unknown > 0 {
					fmt.Fprintf(cmd.OutOrStdout(), "%d rows mean nothing to this version\n", done.Unknown)
				}
			})
		},
	}
	cmd.Flags().StringVar(&phrase, "passphrase-file", "", "file with the passphrase, or - for standard input (required)")
	cmd.Flags().BoolVar(&in.Overwrite, "overwrite", false, "replace what is there with other values")
	_ = cmd.MarkFlagRequired("passphrase-file")
	return cmd
}

// readExport reads what export has printed, by itself or as JSON.
func readExport(path string) ([]byte, error) {
	const most = 2 * state.MaxExport // JSON takes a third more
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, most+1))
	if err != nil {
		return nil, err
	}
	var printed gatehouse.Sealed
	if bytes.HasPrefix(data, []byte("{")) && json.Unmarshal(data, &printed) == nil {
		data = printed.Export
	}
	if len(data) > state.MaxExport {
		return nil, errors.New("the file is larger than any export")
	}
	return data, nil
}

func newStateRekey(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:     "rekey",
		Short:   "Encrypt all secrets under a new master key",
		Example: "  gatehouse state rekey",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var done state.Rekeyed
			if err := f.act(cmd, "state/rekey", struct{}{}, &done); err != nil {
				return err
			}
			return f.print(cmd, done, func() {
				fmt.Fprintf(cmd.OutOrStdout(), "%d secrets are encrypted under the master key %s; keep a copy of its file\n", done.Secrets, done.Key)
			})
		},
	}
}
