/* empty.c -- beside the walk: does nothing, but is linked to all that the program is linked to:
 * what loading the libraries costs. */
int main(void)
{
    return 0;
}
