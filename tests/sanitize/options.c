/* For the sanitized program: the supervisor is exec'ed with an empty environment, so options cannot come from there. A program
 * that ends need not free what it has; the search for leaks is for unit tests. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0:exitcode=99:detect_stack_use_after_return=0";
}
