package wayback_test

import (
	"context"
	"fmt"

	"github.com/fineprint-archive/fineprint/archive/wayback"
	"github.com/fineprint-archive/fineprint/archive/wayback/waybacktest"
)

// One page submitted by hand, to the stand-in. A Worker does the same durably.
func Example() {
	ctx := context.Background()
	address, stop, err := waybacktest.New(waybacktest.Config{}).Start(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()
	client, err := wayback.New(wayback.Config{
		BaseURL:   address,
		Keys:      wayback.Keys{Access: "example-access", Secret: "example-secret"},
		UserAgent: "example/1 (+https://example.org/contact)",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	accepted, err := client.Submit(ctx, wayback.Request{URL: "https://example.org/terms", ForceGet: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	status, err := client.Status(ctx, accepted.JobID)
	fmt.Println(status.State, err)
	// Output: pending <nil>
}

// The states of an item of the outbox, and which of them still ask for work.
func ExampleStates() {
	for _, s := range wayback.States() {
		fmt.Println(s.State, s.Open)
	}
	// Output:
	// waiting true
	// submitted true
	// accepted true
	// unresolved true
	// reported true
	// indexed true
	// replayed true
	// confirmed true
	// divergent false
	// refused false
	// failed false
	// gone-again false
}
