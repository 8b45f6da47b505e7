/* The program that start-up is measured with: nothing but a start and an end. */
int main(void)
{
	return 0;
}
