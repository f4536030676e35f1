package settings

// SetFault has f called between the steps of a save.
func (s *Settings) SetFault(f func(step string)) { s.fault = f }
