package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
)

// checkpointSource stands for the log in the queue of submissions, where pages
// have the id of their source.
const checkpointSource = "log"

// checkpointEvery is the shortest time between two checkpoints that the Wayback
// Machine is asked to keep.
const checkpointEvery = 24 * time.Hour

// offerCheckpoint queues the public address of the newest checkpoint for the
// Wayback Machine, if the operator serves the log under one: then an archive that
// is not ours holds it, dated.
func offerCheckpoint(ctx context.Context, s *session) error {
	log := s.arch.Log()
	if s.cfg.Anchors.PublicURL == "" || log == nil || waybackOff(s.cfg) != "" {
		return nil
	}
	size := log.Checkpoint().Size
	if size == 0 {
		return nil
	}
	return s.db.AddOutbox(ctx, catalog.OutboxNew{
		Source: checkpointSource, N: size, Cause: "checkpoint", At: time.Now(),
		URL:         strings.TrimSuffix(s.cfg.Anchors.PublicURL, "/") + "/checkpoints/" + strconv.FormatInt(size, 10),
		AtMostEvery: time.Duration(float64(checkpointEvery) / s.cfg.Wayback.TimeScale),
	})
}
