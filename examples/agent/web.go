package main

import (
	"context"
	_ "embed"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/clearance-go/clearance/examples/internal/webread"
	"github.com/clearance-go/clearance/permission"
)

// page is what the demonstration reads: a page that gives orders, some of them
// hidden.
//
//go:embed page.html
var page string

// pageAnswers are what the recorded reader says about it.
//
//go:embed page.jsonl
var pageAnswers string

// web is the WebFetch tool: pages are read in a context of their own, and only
// an answer comes back.
type web struct {
	reader  webread.Reader
	fetcher *webread.Fetcher
	// url is where the demonstration's own page is.
	url   string
	close func()
}

// newWeb offers the page on loopback, the only such address that is read.
func newWeb(reader webread.Reader) (*web, error) {
	if reader == nil {
		recorded, err := webread.ReadRecorded(strings.NewReader(pageAnswers))
		if err != nil {
			return nil, err
		}
		reader = recorded
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	srv := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(servePage)}
	go func() { _ = srv.Serve(l) }()
	at := netip.MustParseAddrPort(l.Addr().String())
	return &web{reader: reader, fetcher: &webread.Fetcher{Own: at}, url: "http://" + at.String(), close: func() { _ = srv.Close() }}, nil
}

func servePage(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/moved" {
		http.Redirect(w, r, "https://evil.example/collect", http.StatusFound)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, page)
}

// fetch reads a granted page and returns the answer about it, which labels the
// session as one that has read untrusted text.
func (h *host) fetch(ctx context.Context, session *permission.Session, grant *permission.Grant) (string, error) {
	defer h.clock.outside()()
	tool := &webread.Tool{Session: session, Reader: h.web.reader, Fetcher: h.web.fetcher}
	a, err := tool.Run(ctx, grant)
	var redirect *webread.RedirectError
	switch {
	case errors.As(err, &redirect):
		return "", errors.New("not followed: " + err.Error())
	case err != nil:
		return "", err
	}
	return a.String(), nil
}
