package ui

import (
	"fmt"
	"time"

	"github.com/gdamore/tcell/v3"
)

// draw fills the screen from the state. What it returns fires when the question
// may be armed.
func (u *Screen) draw() <-chan time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	cols, rows := u.s.Size()
	u.s.Fill(' ', u.styles[normal])
	u.s.HideCursor()
	bottom := rows
	if u.q != nil {
		bottom = u.question(cols, rows)
	} else {
		bottom = u.status(cols, rows)
	}
	u.history(cols, bottom)
	u.s.Show()
	q := u.q
	if q == nil || q.armed {
		return nil
	}
	if !q.drawn {
		// From here on the person can see it.
		q.drawn, q.quiet = true, u.time.now().Add(armAfter)
	}
	wait := q.quiet.Sub(u.time.now())
	if wait <= 0 {
		q.armed = true
		u.redraw()
		return nil
	}
	return u.time.after(wait)
}

// put writes one row into the columns [x, end) and nowhere else.
func (u *Screen) put(x, end, y int, text string, st tcell.Style) int {
	for text != "" && x < end {
		rest, w := u.s.Put(x, y, text, st)
		if w <= 0 || rest == text {
			return x
		}
		if x+w > end {
			u.s.Put(x, y, " ", st)
			return end
		}
		x, text = x+w, rest
	}
	return x
}

func (u *Screen) row(y, cols int, r row) {
	x := u.put(0, cols, y, r.gutter, u.styles[frame])
	for _, s := range r.spans {
		st := u.styles[r.style]
		if s.hot {
			st = st.Reverse(true)
		}
		x = u.put(x, cols, y, s.text, st)
	}
}

func (u *Screen) rule(y, cols int, title string, st tcell.Style) {
	for x := range cols {
		u.s.Put(x, y, "─", u.styles[frame])
	}
	if title != "" && cols > 6 {
		u.put(2, cols-1, y, " "+cut(title, cols-6)+" ", st)
	}
}

// history shows the newest lines of the log above the row bottom.
func (u *Screen) history(cols, bottom int) {
	y := bottom - 1
	for i := len(u.log) - 1 - u.scroll; i >= 0 && y >= 0; i-- {
		wrapped := wrap([]span{{u.log[i], false}}, cols, 5)
		if len(wrapped) > 6 {
			wrapped = append(wrapped[:5:5], []span{{"     …", true}})
		}
		for k := len(wrapped) - 1; k >= 0 && y >= 0; k-- {
			st := normal
			if len(u.log[i]) > 2 && u.log[i][:2] == "  " {
				st = faint
			}
			u.row(y, cols, row{"", wrapped[k], st})
			y--
		}
	}
}

// status shows what runs, in the last two rows, and returns the first of them.
func (u *Screen) status(cols, rows int) int {
	if rows < 4 {
		return rows
	}
	u.rule(rows-2, cols, "", u.styles[frame])
	if len(u.tasks) == 0 {
		u.put(1, cols, rows-1, cut("working…  Ctrl-C ends, PgUp scrolls back", cols-2), u.styles[faint])
		return rows - 2
	}
	wheel := []string{"|", "/", "-", `\`}
	task := u.tasks[len(u.tasks)-1]
	since := u.time.now().Sub(task.Started)
	left := fmt.Sprintf("%s %s  %s", wheel[int(since/tick)%len(wheel)], elapsed(since), cut(task.Title, cols/3))
	x := u.put(1, cols, rows-1, left, u.styles[strong])
	help := "Esc cancels, Ctrl-C ends"
	room := cols - x - 4
	if room > len(help)+12 {
		u.put(cols-len(help)-1, cols, rows-1, help, u.styles[faint])
		room -= len(help) + 2
	}
	if room > 4 && task.last != "" {
		u.put(x+2, x+2+room, rows-1, cut(Visible(task.last), room), u.styles[normal])
	}
	return rows - 2
}

func elapsed(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return d.Truncate(time.Second).String()
}

// question shows what is asked in the lower part of the screen and returns its
// first row. Where not everything fits, the subject gives way and says so.
func (u *Screen) question(cols, rows int) int {
	q := u.q
	if q.laid.cols != cols {
		q.laid.cols = cols
		q.laid.head, q.laid.subject, q.laid.foot = layout(q.Question, cols)
	}
	head, subject, foot := q.laid.head, q.laid.subject, q.laid.foot
	// The title, the keys, and the rule between.
	const fixed = 3
	was := q.tooSmall
	q.tooSmall = cols < minCols || rows < minRows || fixed+len(head)+len(foot)+2 > rows
	if was && !q.tooSmall {
		// Only now can it be read.
		q.drawn, q.armed = false, false
	}
	if q.tooSmall {
		u.rule(0, cols, q.Title, u.styles[strong])
		u.put(0, cols, rows-2, cut("This window is too small to show what is asked.", cols), u.styles[riskHigh])
		u.put(0, cols, rows-1, cut("Make it larger. [n] no", cols), u.styles[keys])
		return 0
	}
	q.rows, q.fit = len(subject), len(subject)
	room := rows - fixed - len(head) - len(foot)
	more := q.rows > room
	if more {
		q.fit = room - 1 // a row says what is not shown
	}
	q.top = max(0, min(q.top, q.rows-q.fit))
	y := max(0, room-q.rows)
	first := y
	u.rule(y, cols, q.Title, u.styles[strong])
	y++
	for _, r := range head {
		u.row(y, cols, r)
		y++
	}
	for _, r := range subject[q.top : q.top+q.fit] {
		u.row(y, cols, r)
		y++
	}
	if more {
		text := fmt.Sprintf(" rows %d to %d of %d: ↑ ↓ PgUp PgDn show the others ", q.top+1, q.top+q.fit, q.rows)
		u.put(1, cols, y, cut(text, cols-2), u.styles[keys])
		y++
	}
	for _, r := range foot {
		u.row(y, cols, r)
		y++
	}
	u.rule(y, cols, "", u.styles[frame])
	u.prompt(y+1, cols)
	return first
}

// prompt is the row of keys, or of the field that the person writes.
func (u *Screen) prompt(y, cols int) {
	q := u.q
	switch {
	case !q.armed:
		u.put(1, cols, y, cut(keyLine(q.Question), cols-14), u.styles[faint])
		u.put(max(cols-12, 1), cols, y, "one moment…", u.styles[faint])
	case q.writing:
		label := "No, because: "
		if q.Type != "" {
			label = "Type " + cut(Visible(q.Type), cols/3) + ": "
		}
		x := u.put(1, cols, y, label, u.styles[keys])
		text := string(q.field)
		for width(Visible(text)) > cols-x-2 && text != "" {
			text = string([]rune(text)[1:])
		}
		x = u.put(x+1, cols-1, y, Visible(text), u.styles[normal])
		u.s.ShowCursor(x, y)
	default:
		x := u.put(1, cols, y, cut(keyLine(q.Question), cols-2), u.styles[keys])
		if help := "  Tab: no, and why"; !q.Trust && x+len(help) < cols {
			u.put(x, cols, y, help, u.styles[faint])
		}
	}
}
