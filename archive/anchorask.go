package archive

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	xtlog "golang.org/x/mod/sumdb/tlog"

	"github.com/fineprint-archive/fineprint/archive/anchor"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/tlog"
)

// The files about a checkpoint, by the end of their names.
const (
	extToken       = ".tsr"    // response of a timestamp authority
	extEvidence    = ".pem"    // its chain and revocation data
	extCosignature = ".cosig"  // signature line of a witness
	extOTS         = ".ots"    // OpenTimestamps proof
	extHeader      = ".header" // of the Bitcoin block that a proof leads to
	extList        = ".list"   // anchor list
)

// party is one whom a round asks.
type party struct {
	kind string
	name string // in the configuration
	stem string // of its files: "NAME.tsr", of a further one "NAME.2.tsr"
	ext  string

	// sound tells whether the file of this name in f is a statement of the party
	// about the checkpoint, and the time it gives.
	sound func(f *folder, name string) (time.Time, error)
	// ask obtains a statement and keeps it. The error is ours; what goes wrong
	// with the party is a failed outcome. keep is for what must be stored.
	ask func(ctx, keep context.Context, t *target) (AnchorOutcome, error)
}

func (p party) file() string { return p.stem + p.ext }

// unsafeInName is what the names of anchor files do not have.
var unsafeInName = regexp.MustCompile(`[^A-Za-z0-9._@-]+`)

// maxStem leaves room for a number and the end of the name.
const maxStem = 80

// stemOf makes the beginning of a file name of a party's name.
func stemOf(name string) (string, error) {
	stem := strings.TrimLeft(unsafeInName.ReplaceAllString(name, "-"), "._@-")
	stem = strings.TrimRight(stem, "-")
	if stem == "" || len(stem) > maxStem {
		return "", fmt.Errorf("%.120q cannot be the name of a file: use 1 to %d letters, digits and . _ -", name, maxStem)
	}
	return stem, nil
}

// addParties lists whom a round asks.
func (x *Anchorer) addParties() error {
	p := &x.cfg.Parties
	for _, a := range p.Authorities {
		if err := a.Check(); err != nil {
			return err
		}
		x.roots = anchor.MergeRoots(x.roots, a.Roots)
		x.parties = append(x.parties, x.authority(a))
	}
	for _, w := range p.witnesses() {
		stem, err := stemOf(w.Name)
		if err != nil {
			return fmt.Errorf("witness: %w", err)
		}
		x.parties = append(x.parties, x.witness(w, stem))
	}
	for i, address := range p.Calendars {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return fmt.Errorf("OpenTimestamps calendar %d: expected an http or https address without user, query and fragment", i+1)
		}
		stem, err := stemOf(u.Host + u.Path)
		if err != nil {
			return fmt.Errorf("OpenTimestamps calendar: %w", err)
		}
		x.parties = append(x.parties, x.calendar(address, stem))
	}
	return nil
}

// failed is the outcome of a party that gave nothing usable.
func failed(err error) AnchorOutcome {
	return AnchorOutcome{State: AnchorFailed, Detail: oneLine(err.Error())}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func (x *Anchorer) authority(a anchor.Authority) party {
	return party{
		kind: AnchorTSA, name: a.Name, stem: a.Name, ext: extToken,
		sound: func(f *folder, name string) (time.Time, error) {
			info, err := anchor.VerifyToken(f.files[name], f.cp.Raw, f.files[strings.TrimSuffix(name, extToken)+extEvidence], a.Roots)
			return info.Time, err
		},
		ask: func(ctx, keep context.Context, t *target) (AnchorOutcome, error) {
			s := anchor.Stamper{HTTP: x.cfg.Parties.HTTP, Now: x.cfg.Now}
			token, err := s.Stamp(ctx, a, t.cp.Raw)
			if err != nil {
				return failed(unnamed(err, "timestamp authority "+a.Name+": ")), nil
			}
			// The token last: a file that has it is whole.
			err = x.keep(keep, t.cp.Size, a.Name, file{extEvidence, token.Evidence}, file{extToken, token.TSR})
			return AnchorOutcome{State: AnchorNew, Time: token.Info.Time, Detail: oneLine(strings.Join(token.Notes, "; "))}, err
		},
	}
}

// unnamed takes the name of the party off an error: outcomes have it beside.
func unnamed(err error, name string) error {
	if rest, ok := strings.CutPrefix(err.Error(), name); ok {
		return errors.New(rest)
	}
	return err
}

func (x *Anchorer) witness(w anchor.WitnessEndpoint, stem string) party {
	return party{
		kind: AnchorWitness, name: w.Name, stem: stem, ext: extCosignature,
		sound: func(f *folder, name string) (time.Time, error) { return x.cosigned(f, name, w.Name) },
		ask: func(ctx, keep context.Context, t *target) (AnchorOutcome, error) {
			client := *x.cfg.Parties.HTTP
			client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			c, err := anchor.Cosign(ctx, &client, w, t.cp.Raw, t.cosigned[stem], func(ctx context.Context, old int64) (xtlog.TreeProof, error) {
				return x.consistency(ctx, old, t.cp)
			})
			if err != nil {
				o := failed(unnamed(err, "witness "+w.Name+" ("+strings.TrimSuffix(w.URL, "/")+"/add-checkpoint): "))
				o.Contradicts = x.contradicts(keep, err)
				return o, nil
			}
			return AnchorOutcome{State: AnchorNew, Time: c.Time}, x.keep(keep, t.cp.Size, stem, file{extCosignature, c.Line})
		},
	}
}

// contradicts tells whether a witness refuses because its memory contradicts the
// log. That it has more than was shown is none if another process has published
// that much meanwhile.
func (x *Anchorer) contradicts(ctx context.Context, err error) bool {
	if errors.Is(err, anchor.ErrWitnessInconsistent) {
		return true
	}
	e, ok := errors.AsType[*anchor.WitnessError](err)
	if !ok || !errors.Is(err, anchor.ErrWitnessAhead) {
		return false
	}
	now, err := x.newest(ctx)
	return err == nil && now.Size < e.Size
}

// cosigned checks that a file holds the cosignature of a witness.
func (x *Anchorer) cosigned(f *folder, name, witness string) (time.Time, error) {
	report, err := anchor.VerifyCosignatures(f.cp.Raw, f.files[name], x.policy)
	if err != nil {
		return time.Time{}, err
	}
	for _, w := range report.Witnesses {
		if w.Name == witness && w.Cosigned {
			return w.Time, nil
		}
	}
	return time.Time{}, fmt.Errorf("it holds no valid cosignature of witness %s", witness)
}

// consistency proves to a witness that cp continues what it saw.
func (x *Anchorer) consistency(ctx context.Context, old int64, cp tlog.Checkpoint) (xtlog.TreeProof, error) {
	text, err := x.cfg.Reader.ConsistencyProof(ctx, old, cp)
	if err != nil {
		return nil, err
	}
	c, err := tlog.ParseConsistency(text)
	return c.Hashes, err
}

func (x *Anchorer) calendar(address, stem string) party {
	return party{
		kind: AnchorCalendar, name: address, stem: stem, ext: extOTS,
		sound: func(f *folder, name string) (time.Time, error) { return time.Time{}, soundOTS(f, name) },
		ask: func(ctx, keep context.Context, t *target) (AnchorOutcome, error) {
			c := anchor.OTSClient{HTTP: x.cfg.Parties.HTTP, Calendars: []string{address}}
			proof, _, err := c.Stamp(ctx, otsDigest(t.cp))
			if err != nil {
				return failed(unnamed(err, "no calendar took the digest: OpenTimestamps calendar "+address+": ")), nil
			}
			x.cfg.Step("anchor-promise")
			_, err = x.cfg.Mutable.PutIfMatch(keep, promiseKey(t.cp.Size, stem), proof.Bytes(), "")
			if errors.Is(err, store.ErrPrecondition) {
				err = nil // another process was faster; its promise is as good
			}
			return AnchorOutcome{State: AnchorPending}, err
		},
	}
}
