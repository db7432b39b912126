package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"gatehouse"
)

func newRun(f *flags) *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the gateway until SIGTERM",
		Long: "Run the gateway. SIGHUP reloads the configuration, as does a change of one of\nits files; SIGUSR1 opens the logs anew; SIGTERM and SIGINT drain and end it, a second\none without waiting for requests any longer (exit code 1).\n\n" +
			"With --to and no file it puts safe defaults before one service: HTTPS on\n127.0.0.1:8443 with a certificate of an own CA, limits, and throttling. Where there\nis no file, ca, explain and reload are about that gateway.",
		Example: "  gatehouse run -c shop/gatehouse.yaml\n  gatehouse run --to http://localhost:3000",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			load := func() (*gatehouse.Config, error) { return gatehouse.Load(f.config) }
			if to != "" {
				if cmd.Flags().Changed("config") {
					return errors.New("--to stands in place of a file: say --to or --config")
				}
				if _, err := gatehouse.Before(to); err != nil {
					return err
				}
				load = func() (*gatehouse.Config, error) { return gatehouse.Before(to) }
			}
			return found(serve(cmd.Context(), load))
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "service to stand before, [http://]HOST:PORT, in place of a file")
	return cmd
}

// serve runs a gateway until ctx ends and its requests have. That the operator's
// own limits.shutdown cuts some off is a warning of the log, and no failure.
func serve(ctx context.Context, load func() (*gatehouse.Config, error)) error {
	s := catch()
	cfg, err := load()
	if err != nil {
		return err
	}
	level := new(slog.LevelVar)
	level.Set(cfg.Log.SlogLevel())
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	g, err := gatehouse.New(cfg, gatehouse.Options{Logger: log, Level: level, Stdout: os.Stdout, Version: version, Load: load})
	if err != nil {
		return err
	}
	for _, l := range cfg.Listen {
		log.Info("listening", "address", l.Address, "bound", fmt.Sprint(g.Addr(l.Address)))
	}
	ended := make(chan struct{})
	defer close(ended)
	go s.turn(ctx, g, log, ended)
	err = g.Run(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// signals are those that a gateway turns into calls.
type signals struct{ again, stop chan os.Signal }

// catch takes the signals over, from before there is a gateway: none of them
// ends the process while it starts. SIGPIPE never does: that nobody reads
// standard output any more is a trouble of the access log alone.
func catch() signals {
	s := signals{make(chan os.Signal, 4), make(chan os.Signal, 2)}
	signal.Notify(s.again, syscall.SIGHUP, syscall.SIGUSR1)
	signal.Notify(s.stop, os.Interrupt, syscall.SIGTERM)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return s
}

// turn turns signals into calls until ended is closed. The first SIGTERM or
// SIGINT has ended the context of main; the second one hurries the drain. A
// reload that takes its time keeps none of these waiting.
func (s signals) turn(ctx context.Context, g *gatehouse.Gateway, log *slog.Logger, ended <-chan struct{}) {
	go s.hurry(g, ended)
	for {
		select {
		case <-ended:
			return
		case caught := <-s.again:
			if caught == syscall.SIGHUP {
				_ = g.Reload(ctx) // it logs what went wrong
				continue
			}
			if err := g.ReopenLogs(); err != nil {
				log.Error("logs not opened anew", "error", err)
			}
		}
	}
}

func (s signals) hurry(g *gatehouse.Gateway, ended <-chan struct{}) {
	for range 2 {
		select {
		case <-ended:
			return
		case <-s.stop:
		}
	}
	g.Hurry()
}
