package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"gatehouse"
	"gatehouse/edge/ca"
	"gatehouse/private"
)

func newCA(f *flags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ca",
		Short: "Print the internal CA's root certificate, for clients to trust; issue certificates",
		Long: "Print the root certificate of the internal CA in PEM. The CA lies below the data\n" +
			"folder, or in the state where the configuration has one, and is made where it is not\nthere yet.",
		Example: "  gatehouse ca > ca.pem && curl --cacert ca.pem https://localhost:8443/",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			data, err := f.data(cmd)
			if err != nil {
				return f.problems(cmd, err)
			}
			pem, err := f.root(filepath.Join(data, "ca"))
			if err != nil {
				return found(err)
			}
			root := string(pem)
			v := struct {
				Root string `json:"root"`
			}{root}
			return f.print(cmd, v, func() { fmt.Fprint(cmd.OutOrStdout(), root) })
		},
	}
	cmd.AddCommand(newCAIssue(f))
	return cmd
}

// root returns the root's certificate of the CA in a folder. Where the key is in the
// state, the certificate alone lies there.
func (f *flags) root(dir string) ([]byte, error) {
	pem, err := ca.PublicRoot(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return pem, err
	}
	if cfg, err := gatehouse.Load(f.config); err == nil && cfg.State != nil && len(cfg.State.NATS) > 0 {
		return nil, errors.New("the CA is in the state, which other gateways share: start this one, and ask again")
	}
	authority, err := ca.Open(dir)
	if err != nil {
		return nil, err
	}
	return authority.RootPEM(), nil
}

func newCAIssue(f *flags) *cobra.Command {
	var wish gatehouse.CertificateWish
	var cert, key string
	cmd := &cobra.Command{
		Use:   "issue services|links NAME",
		Short: "Have the running gateway issue a certificate for a service or a link",
		Long: "Have the running gateway issue a certificate with a new key: for a service that the\n" +
			"gateway is to trust by its own root, or for an end of a link. It is written down in the\n" +
			"audit. Without --cert and --key both are printed.",
		Example: "  gatehouse ca issue services orders --cert orders.pem --key orders.key",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (cert == "") != (key == "") {
				return errors.New("say both --cert and --key, or neither")
			}
			wish.For, wish.Name = args[0], args[1]
			var out gatehouse.IssuedCertificate
			if err := f.act(cmd, "ca/issue", wish, &out); err != nil {
				return err
			}
			if cert == "" {
				return f.print(cmd, out, func() { fmt.Fprint(cmd.OutOrStdout(), out.Certificate+out.Key) })
			}
			if err := errors.Join(private.Create(key, []byte(out.Key)), os.WriteFile(cert, []byte(out.Certificate), 0o644)); err != nil {
				return found(err)
			}
			out.Key = ""
			return f.print(cmd, out, func() {
				fmt.Fprintf(cmd.OutOrStdout(), "%s and %s: for %s, until %s\n", cert, key, out.Name, out.Expires.Format(time.DateOnly))
			})
		},
	}
	cmd.Flags().StringVar(&cert, "cert", "", "file to write the certificate and its intermediate to")
	cmd.Flags().StringVar(&key, "key", "", "file to write the key to, which must not be there yet")
	cmd.Flags().DurationVar(&wish.Life, "life", 0, "how long it is good, such as 2160h; default: 30 days")
	return cmd
}
