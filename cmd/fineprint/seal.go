package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fineprint-archive/fineprint/archive"
)

func (a *app) sealCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "seal",
		Short: "Repair the spool and bring what it holds into the archive",
		Long: `Repair what an interrupted run left in the spool, enter it, and bring every
closed WARC into the archive. crawl does the same at its start and its end.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			c, err := a.config()
			if err != nil {
				return err
			}
			if c.noCatalog() && missing(c.Spool) {
				return noArchive(c.Spool)
			}
			s, err := a.openSession(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.close()) }()
			sealed, err := s.arch.Seal(cmd.Context())
			if a.json {
				if sealed == nil {
					sealed = []archive.Sealed{}
				}
				return errors.Join(err, a.printJSON(map[string]any{"warcs": sealed}))
			}
			for _, w := range sealed {
				fmt.Fprintf(a.stdout, "sealed %s, %s, %d looks, sha256 %s\n", w.Object, humanBytes(w.Bytes), w.Looks, w.SHA256)
			}
			if err == nil && len(sealed) == 0 {
				a.talk("the spool is empty")
			}
			return err
		},
	}
}
