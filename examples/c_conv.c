/* y += the convolution of x (batch, groups * channels, height, width) with w (groups * filters, channels, rows, columns).
   Every array is contiguous; REAL is float or double. */
typedef struct { long batch, groups, channels, filters, height, width, rows, columns, out_height, out_width; } Sizes;

static void plane(Sizes n, long stride[2], long padding[2], long dilation[2], const REAL *x, const REAL *w, REAL *y)
{
    for (long c = 0; c < n.channels; c++, x += n.height * n.width)
        for (long r = 0; r < n.rows; r++)
            for (long s = 0; s < n.columns; s++, w++)
                for (long i = 0; i < n.out_height; i++)
                    for (long j = 0; j < n.out_width; j++) {
                        long row = i * stride[0] - padding[0] + r * dilation[0];
                        long column = j * stride[1] - padding[1] + s * dilation[1];
                        if (row >= 0 && row < n.height && column >= 0 && column < n.width)
                            y[i * n.out_width + j] += x[row * n.width + column] * *w;
                    }
}

void conv2d(Sizes n, long stride[2], long padding[2], long dilation[2], const REAL *x, const REAL *w, REAL *y)
{
    long image = n.channels * n.height * n.width, filter = n.channels * n.rows * n.columns;
    for (long g = 0; g < n.batch * n.groups; g++)
        for (long k = 0; k < n.filters; k++, y += n.out_height * n.out_width)
            plane(n, stride, padding, dilation, x + g * image, w + (g % n.groups * n.filters + k) * filter, y);
}
